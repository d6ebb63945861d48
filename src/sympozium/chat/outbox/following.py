"""The runs at work: what is heard of them is shown while they work, where there is room for it.

Live tokens are nobody's record. What is missed is not seen, and the end replaces
whatever was shown.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sympozium.bus.cancelled import ended
from sympozium.bus.ports import LiveBus
from sympozium.chat.outbox import wording
from sympozium.chat.outbox.opening import post_placeholder
from sympozium.chat.outbox.order import Order
from sympozium.chat.outbox.progress import CLOCK_AFTER_S, Sight
from sympozium.chat.outbox.reactions import Marks, Outcome
from sympozium.chat.outbox.records import Followed, Record, Records
from sympozium.chat.outbox.voice import Cosmetic, Voice
from sympozium.chat.platform import Mark, Target
from sympozium.contract.envelope import decode
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import MAX_RUN_TIMEOUT
from sympozium.contract.names import ConversationId, MessageId
from sympozium.contract.run_events import LiveLine, Waiting
from sympozium.contract.subjects import live

log = logging.getLogger(__name__)

MAX_FOLLOWED = 512
"""Runs followed at once; of further ones only the ends are shown."""

IN_FLIGHT_S = 10.0
"""How long the end waits for a preview that is being sent."""

UNCERTAIN_S = 20.0
"""A preview whose answer was lost arrives within this time or never."""

SLOWEST = 8.0
"""By how much previews become rarer where there is no room for them."""


@dataclass(frozen=True)
class Surroundings:
    """What a follower works with."""

    bus: LiveBus
    namespace: str
    voice: Voice
    records: Records
    marks: Marks
    order: Order


class Follower:
    """Shows one run at work, from `run` to `end`."""

    def __init__(
        self, around: Surroundings, target: Target, followed: Followed, record: Record
    ) -> None:
        self._around = around
        self._target = target
        self._followed = followed
        self._record = record
        self._sight = Sight(followed.run_name, self._now())
        self._is_active = bool(record.post)
        self._is_ending = False
        self._grows = around.voice.capabilities.can_edit
        # What a placeholder says without words.
        self._shown = ("", wording.QUEUED if record.is_queued else wording.WORKING)
        self._lost_at = -UNCERTAIN_S
        self._slowness = 1.0
        self._signal_at = 0.0
        self._wake = asyncio.Event()
        self._calling = asyncio.Lock()

    @property
    def conversation(self) -> ConversationId:
        """Where it is shown."""
        return self._target.conversation

    async def run(self) -> None:
        """Follow the run until it is cancelled, or has taken longer than any run may."""
        around = self._around
        subject = live(around.namespace, self._followed.run_uid)
        try:
            async with (
                asyncio.timeout(MAX_RUN_TIMEOUT.total_seconds()),
                around.bus.listen(subject) as said,
                asyncio.TaskGroup() as group,
            ):
                group.create_task(self._paint())
                async for _, data in said:
                    self._hear(data)
        except TimeoutError:
            log.info("run followed no more", extra={"action": "drop", "kind": "deadline"})
            with contextlib.suppress(TransientError, PermanentError):  # the next one asks again
                await around.records.forget_run(self._target.message_id)

    async def end(self) -> bool:
        """Show nothing more; return whether a preview may still be on its way."""
        self._is_ending = True
        try:
            async with asyncio.timeout(IN_FLIGHT_S), self._calling:
                return self._now() - self._lost_at < UNCERTAIN_S
        except TimeoutError:
            return True

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _hear(self, data: bytes) -> None:
        try:
            line: LiveLine = decode(data, LiveLine)  # type: ignore[arg-type] # a union decodes too
        except PermanentError as error:
            log.debug("live line dropped", extra={"action": "drop", "cause": str(error)})
            return
        if not self._is_active and not isinstance(line, Waiting):
            self._is_active = True
            self._around.marks.reach(self._target, Mark.RUNNING)
            self._wake.set()
        if self._sight.apply(line, self._now()):
            self._wake.set()

    async def _paint(self) -> None:
        """Show what changes, no more often than the platform likes.

        Words go before "typing": whoever sees an answer grow knows that it is worked on.
        """
        capabilities = self._around.voice.capabilities
        self._signal_at = self._now() + (capabilities.preview_every_s if self._record.post else 0)
        while not self._is_ending:
            self._wake.clear()
            if self._is_active:
                if await self._grow():
                    await asyncio.sleep(capabilities.preview_every_s * self._slowness)
                elif capabilities.signal_every_s and self._now() >= self._signal_at:
                    await self._signal()
            await self._sleep()

    async def _sleep(self) -> None:
        """Wait for something new to show: heard, or on the clock."""
        until = None
        if self._is_active:
            until = self._now() + CLOCK_AFTER_S
            if self._around.voice.capabilities.signal_every_s:
                until = min(until, self._signal_at)
        try:
            async with asyncio.timeout_at(until):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _signal(self) -> None:
        voice = self._around.voice
        status = self._sight.status(self._now())
        self._signal_at = self._now() + voice.capabilities.signal_every_s
        if self._sight.is_waiting:  # nobody types
            return
        await self._offered(Cosmetic.SIGNAL, lambda: voice.platform.signal(self._target, status))

    async def _grow(self) -> bool:
        """Show what is new; return whether anything was to be shown, and so a pause is due."""
        voice = self._around.voice
        if not self._grows:
            return False
        if self._record.post and self._looks() == self._shown:
            return False
        if not voice.budget.has_room(voice.platform.chat_of(self._target)):
            self._slower()
            self._wake.set()
        elif self._record.post:
            await self._show_growth()
        else:
            await self._begin()
        return True

    def _looks(self) -> tuple[str, str]:
        return self._sight.text, self._sight.status(self._now())

    async def _begin(self) -> None:
        """Post the placeholder that could not be, or was not to be, posted before."""
        around = self._around
        if not around.order.may_stand(self._target):
            return
        async with self._calling:
            if self._is_ending or not await post_placeholder(
                around.voice, self._target, self._record, self._followed, again=False
            ):
                return
            try:
                await around.records.keep(self._target.message_id)
            except (TransientError, PermanentError) as error:  # the end keeps it
                log.debug("placeholder not noted", extra={"action": "drop", "cause": str(error)})
        self._wake.set()

    async def _show_growth(self) -> None:
        voice, post = self._around.voice, self._record.post
        growing = self._sight.look(self._now(), voice.capabilities)
        looks = (growing.markdown, growing.status)
        outcome = await self._offered(
            Cosmetic.GROW, lambda: voice.platform.grow(self._target, post, growing)
        )
        if outcome is Outcome.SHOWN:
            self._shown = looks
            self._slowness = max(1.0, self._slowness / 2)
            self._signal_at = self._now() + voice.capabilities.signal_every_s
        elif outcome in (Outcome.GONE, Outcome.OFF):
            self._grows = False
        else:
            self._slower()
            self._wake.set()

    async def _offered(self, cosmetic: Cosmetic, call: Callable[[], Awaitable[None]]) -> Outcome:
        async with self._calling:
            if self._is_ending:
                return Outcome.SHED
            outcome = await self._around.voice.offer(self._target, cosmetic, call)
            if outcome is Outcome.LOST and cosmetic is Cosmetic.GROW:
                self._lost_at = self._now()
            return outcome

    def _slower(self) -> None:
        self._slowness = min(2 * self._slowness, SLOWEST)


class Following:
    """All runs that are followed now."""

    def __init__(self, around: Surroundings, group: asyncio.TaskGroup) -> None:
        self._around = around
        self._group = group
        self._followers: dict[MessageId, tuple[Follower, asyncio.Task[None]]] = {}

    def follow(self, target: Target, followed: Followed, record: Record) -> None:
        """Show a run at work from now on. One that is followed already is left as it is."""
        message_id = target.message_id
        if (
            not followed.run_uid
            or not record.is_at_work
            or message_id in self._followers
            or len(self._followers) >= MAX_FOLLOWED
        ):
            return
        follower = Follower(self._around, target, followed, record)
        task = self._group.create_task(self._run(follower))
        self._followers[message_id] = (follower, task)
        task.add_done_callback(lambda _: self._followers.pop(message_id, None))

    def is_busy(self, conversation: ConversationId) -> bool:
        """Return whether a run of this conversation is followed."""
        followers = self._followers.values()
        return any(follower.conversation == conversation for follower, _ in followers)

    async def end(self, message_id: MessageId) -> bool:
        """Follow a run no more; return whether a preview of it may still be on its way."""
        followed = self._followers.get(message_id)
        if followed is None:
            return False
        follower, task = followed
        is_late = await follower.end()
        await ended(task)
        return is_late

    async def _run(self, follower: Follower) -> None:
        try:
            await follower.run()
        except Exception:  # a bug in showing progress must not stop the answers
            log.exception("progress is not shown", extra={"action": "drop"})

    async def stop(self) -> None:
        """Follow nothing any more."""
        await ended(*(task for _, task in self._followers.values()))
