"""The runs at work now: following their live tokens, and what each has said so far.

Live tokens are nobody's record. Whoever opens the page in the middle of an
answer is shown what this program has heard of it, and then follows.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sympozium.bus.ports import LiveBus
from sympozium.chat.outbox.draft import Draft
from sympozium.contract.envelope import decode
from sympozium.contract.errors import PermanentError
from sympozium.contract.limits import MAX_RUN_TIMEOUT
from sympozium.contract.names import ConversationId, MessageId, RunName, RunUid
from sympozium.contract.run_events import Delta, LiveLine, Progress, Started, Waiting
from sympozium.contract.subjects import live
from sympozium_web import events
from sympozium_web.audience import Audience
from sympozium_web.events import Event

log = logging.getLogger(__name__)

MAX_FOLLOWED = 512
"""Runs followed at once; of further ones only the ends are shown."""

MAX_REMEMBERED_ENDS = 4096


class LiveRun:
    """One run at work, as its conversation is told of it."""

    def __init__(
        self, conversation: ConversationId, message_id: MessageId, name: RunName, uid: RunUid
    ) -> None:
        self.conversation = conversation
        self.message_id = message_id
        self.uid = uid
        self.running = events.running(message_id, name)
        self._progress: Event | None = None
        self._waiting: Event | None = None
        self._draft = Draft()

    def apply(self, line: LiveLine) -> Event | None:
        """Take in what was said of the run, and return what to show of it."""
        self._waiting = None
        if isinstance(line, Waiting):
            self._waiting = events.waiting(self.message_id, line)
            return self._waiting
        if isinstance(line, Started):
            return self.running
        if isinstance(line, Progress):
            self._progress = events.progress(self.message_id, line)
            return self._progress
        if isinstance(line, Delta):
            self._draft.apply(line)
            return events.delta(self.message_id, line)
        return None

    def so_far(self) -> list[Event]:
        """Return what brings a newcomer up to date."""
        told = [self.running]
        if self._waiting is not None:
            told.append(self._waiting)
        if self._progress is not None:
            told.append(self._progress)
        if self._draft.text:
            said = Delta(text=self._draft.text, offset=self._draft.offset)
            told.append(events.delta(self.message_id, said))
        return told


class LiveRuns:
    """Follows runs from `follow` to `end`. Made by `live_runs`."""

    def __init__(
        self, bus: LiveBus, namespace: str, audience: Audience, group: asyncio.TaskGroup
    ) -> None:
        self._bus = bus
        self._namespace = namespace
        self._audience = audience
        self._group = group
        self._followed: dict[MessageId, tuple[LiveRun, asyncio.Task[None]]] = {}
        self._ended: OrderedDict[MessageId, int] = OrderedDict()

    def follow(self, run: LiveRun) -> None:
        """Show that *run* is at work, and what it says from now on.

        A run that is followed already, or whose end was shown, is left as it is.
        """
        if run.message_id in self._followed or run.message_id in self._ended:
            return
        if len(self._followed) < MAX_FOLLOWED:
            task = self._group.create_task(self._follow(run))
            self._followed[run.message_id] = (run, task)
        else:
            self._audience.show(run.conversation, run.running)

    def end(self, message_id: MessageId, sequence: int) -> bool:
        """Stop following the run of a message; return whether its end is news."""
        self.forget(message_id)
        if message_id in self._ended:
            return False
        self._ended[message_id] = sequence
        while len(self._ended) > MAX_REMEMBERED_ENDS:
            self._ended.popitem(last=False)
        return True

    def forget(self, message_id: MessageId) -> None:
        """Stop following the run of a message, if there is one."""
        followed = self._followed.pop(message_id, None)
        if followed is not None:
            _, task = followed
            task.cancel()

    def sequence_of_end(self, message_id: MessageId) -> int:
        """Return the OUTBOX sequence of an end that was shown lately, else 0."""
        return self._ended.get(message_id, 0)

    def is_known(self, message_id: MessageId) -> bool:
        """Return whether a message has a run that is followed, or an end that was shown."""
        return message_id in self._followed or message_id in self._ended

    def of(self, conversation: ConversationId) -> list[LiveRun]:
        """Return the runs at work in a conversation, oldest first."""
        return [run for run, _ in self._followed.values() if run.conversation == conversation]

    def stop(self) -> None:
        """Stop following everything."""
        for message_id in list(self._followed):
            self.forget(message_id)

    async def _follow(self, run: LiveRun) -> None:
        try:
            async with (
                asyncio.timeout(MAX_RUN_TIMEOUT.total_seconds()),
                self._bus.listen(live(self._namespace, run.uid)) as said,
            ):
                self._audience.show(run.conversation, run.running)
                async for _, data in said:
                    self._show(run, data)
        except TimeoutError:
            self._followed.pop(run.message_id, None)

    def _show(self, run: LiveRun, data: bytes) -> None:
        try:
            line: LiveLine = decode(data, LiveLine)  # type: ignore[arg-type] # a union decodes too
        except PermanentError as error:
            log.debug("live line dropped", extra={"action": "drop", "cause": str(error)})
            return
        event = run.apply(line)
        if event is not None:
            self._audience.show(run.conversation, event)


@asynccontextmanager
async def live_runs(bus: LiveBus, namespace: str, audience: Audience) -> AsyncIterator[LiveRuns]:
    """Yield what follows runs; it stops following when the block is left."""
    async with asyncio.TaskGroup() as group:
        runs = LiveRuns(bus, namespace, audience, group)
        with contextlib.ExitStack() as at_the_end:
            at_the_end.callback(runs.stop)
            yield runs
