"""From the agent's journal to the bus: every line that counts, once and in order."""

import asyncio
import logging
from datetime import UTC, datetime

import msgspec

from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError
from sympozium.contract.limits import MAX_JOURNAL_LINE_BYTES, MAX_RESULT_BYTES
from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import (
    Absorbed,
    Blocked,
    Delta,
    Failure,
    RecordedLine,
    Result,
    RunEvent,
    record,
)
from sympozium.contract.subjects import live, run_out
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium_agent.blocked import BlockedConnections
from sympozium_agent.follow import Follower
from sympozium_agent.journal import JournalRefusedError, Line
from sympozium_agent.outgoing import Outgoing
from sympozium_agent.recorded import Recorded, RecordedFile
from sympozium_agent.run_bus import RunBus, RunIdentity, until_it_works
from sympozium_agent.steering import Told

log = logging.getLogger(__name__)

MAX_DETAIL_CHARS = 2000

COUNT_EVERY_S = 2.0

MAX_STEP_BYTES = 64 * 1024
"""Longest line that is not an end. Only a result has a reason to be long."""

MAX_STEPS_RECORDED = 1000
"""Lines of one pod that are kept besides its end: what a run gone wild may cost the others."""


class Recorder:
    """Publishes one run's journal, until the run's end is published.

    Args:
        blocked: What the end says was tried in vain; None: nobody counts here.
    """

    def __init__(
        self,
        bus: RunBus,
        identity: RunIdentity,
        kept: RecordedFile,
        outgoing: Outgoing,
        told: Told,
        *,
        blocked: BlockedConnections | None = None,
    ) -> None:
        self._bus = bus
        self._identity = identity
        self._kept = kept
        self._outgoing = outgoing
        self._told = told
        self._blocked = blocked
        self._recorded = kept.read()
        self._live_subject = live(identity.namespace, identity.run_uid)
        self._out_subject = run_out(identity.namespace, identity.run_uid)
        self._verdict: Failure | None = None
        self._steps = 0
        self._refused = 0

    @property
    def offset(self) -> int:
        """Where in the journal to go on."""
        return self._recorded.offset

    @property
    def is_ended(self) -> bool:
        """Whether the run's end is on the bus. Nothing is published after it."""
        return self._recorded.is_ended

    def decide_end(self, reason: Reason, detail: str) -> None:
        """Have the run end with a failure that is in no journal line.

        It is published by `record`, as soon as that gets a line or its lines end. What was
        decided first stands.
        """
        self._verdict = self._verdict or Failure(reason=reason, detail=detail)

    async def record(self, lines: Follower) -> None:
        """Publish *lines* until they end, or the run does."""
        while not self.is_ended:
            try:
                line = await lines.next_line()
            except JournalRefusedError as error:
                self.decide_end(Reason.INTERNAL, str(error))
                line = None
            if self._verdict is not None:
                end = self._with_blocked(self._verdict)
                await self._publish(end, self._identity.message_id("bridge"))
                self._keep(Recorded(self.offset, is_ended=True))
                return
            if line is None:
                return
            event = read_event(line)
            if event is None or not await self._say(event, line):
                self._count_refused(line)

    async def count_blocked(self) -> None:
        """Publish what was tried in vain each time it has doubled; until the run ends.

        The end says it too, but a run that is killed, or ended by others, says none.
        """
        told = 0
        while self._blocked is not None and not self.is_ended:
            count = self._blocked.count()
            if count >= max(1, 2 * told):
                message_id = self._identity.message_id(f"blocked-{count}")
                await self._publish(Blocked(connections=count), message_id)
                told = count
            await asyncio.sleep(COUNT_EVERY_S)

    async def _say(self, event: RunEvent, line: Line) -> bool:
        """Publish what *line* says; False: it is more than a run may say."""
        is_end = isinstance(event, Result | Failure)
        if not is_end:
            if len(line.data) > MAX_STEP_BYTES:
                return False
            await self._bus.send(self._live_subject, encode(event))
            if isinstance(event, Delta):
                return True
            if not self._may_be_recorded(event):
                return False
        if isinstance(event, Result) and event.files:
            event = msgspec.structs.replace(event, files=await self._outgoing.send(event.files))
        if isinstance(event, Result | Failure):
            event = self._with_blocked(event)
        reach(Point.BRIDGE_BEFORE_END if is_end else Point.BRIDGE_BEFORE_PUBLISH)
        await self._publish(event, self._identity.message_id(str(line.offset)))
        reach(Point.BRIDGE_AFTER_END if is_end else Point.BRIDGE_AFTER_PUBLISH)
        self._keep(Recorded(line.end, is_ended=is_end))
        return True

    def _with_blocked(self, end: Result | Failure) -> Result | Failure:
        blocked = self._blocked.count() if self._blocked is not None else 0
        return msgspec.structs.replace(end, blocked_connections=blocked)

    def _may_be_recorded(self, event: RunEvent) -> bool:
        """Return whether there is room for a step; a message taken in needs none.

        There are as many of those as were handed over, and one that was not
        recorded would be answered a second time.
        """
        if isinstance(event, Absorbed):
            return self._told.has(event.message_id)
        self._steps += 1
        return self._steps <= MAX_STEPS_RECORDED

    def _count_refused(self, line: Line) -> None:
        self._refused += 1
        if self._refused & (self._refused - 1) == 0:  # a power of two: many lines, few warnings
            extra = {"action": "refuse", "offset": line.offset, "refused": self._refused}
            log.warning("journal line refused", extra=extra)

    async def _publish(self, event: RecordedLine, message_id: str) -> None:
        data = record(event, id=message_id, time=datetime.now(UTC))
        await until_it_works(
            lambda: self._bus.publish(self._out_subject, data, message_id=message_id)
        )

    def _keep(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._kept.write(recorded)
        if recorded.is_ended:
            log.info(
                "run's end is recorded",
                extra={"action": "end", "run": self._identity.run_name},
            )


def read_event(line: Line) -> RunEvent | None:
    """Return what *line* says, as it may be published; None: it fits no type."""
    if line.is_too_long:
        return Failure(
            reason=Reason.RESULT_TOO_LARGE,
            detail=f"the journal has a line of more than {MAX_JOURNAL_LINE_BYTES} bytes",
        )
    try:
        event: RunEvent = decode(line.data, RunEvent)  # type: ignore[arg-type] # msgspec takes unions
    except PermanentError:
        return None
    if isinstance(event, Failure):
        return _orderly(event)
    if isinstance(event, Result) and len(event.text.encode()) > MAX_RESULT_BYTES:
        return Failure(
            reason=Reason.RESULT_TOO_LARGE,
            detail=f"the result has more than {MAX_RESULT_BYTES} bytes",
            usage=event.usage,
        )
    return event


def _orderly(failure: Failure) -> Failure:
    reason = failure.reason if failure.reason in set(Reason) else Reason.INTERNAL
    detail = failure.detail[:MAX_DETAIL_CHARS]
    return Failure(reason=reason, detail=detail, usage=failure.usage)
