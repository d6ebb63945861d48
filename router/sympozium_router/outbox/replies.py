"""Fetching the answer of a run that has ended."""

from dataclasses import replace
from datetime import datetime

from sympozium.bus.ports import Bus
from sympozium.contract.envelope import encode
from sympozium.contract.errors import PermanentError
from sympozium.contract.limits import MAX_JOURNAL_LINE_BYTES
from sympozium.contract.names import RunUid
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import Object
from sympozium.contract.run_events import Result, recorded_event
from sympozium.contract.subjects import RUNS, run_out
from sympozium.store.ports import End, Message
from sympozium_router.outbox.ends import Outcome, failed_end, outcome_of
from sympozium_router.world.cluster import uid_of


class Replies:
    """Turns ended runs into ends for people."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def end(self, message: Message, run: Object, *, now: datetime) -> End | None:
        """Return the end of *message* by the state of its *run*; None while it has none.

        Raises:
            BusUnavailableError: A long answer cannot be read now.
        """
        outcome = outcome_of(run)
        if outcome is None:
            return None
        end = await self._end_of(message, outcome, run, now)
        return replace(end, absorbed=outcome.absorbed, usage=outcome.usage)

    async def _end_of(self, message: Message, outcome: Outcome, run: Object, now: datetime) -> End:
        if outcome.reason is not None:
            return failed_end(message, outcome.reason, now=now, rule=outcome.rule)
        text: str | None = outcome.text
        if outcome.result_sequence:
            text = await self._long_text(run, outcome.result_sequence)
        if text is None:
            return failed_end(message, Reason.INTERNAL, now=now)
        if len(encode(text)) > MAX_JOURNAL_LINE_BYTES:
            return failed_end(message, Reason.RESULT_TOO_LARGE, now=now)
        return End(time=now, text=text, files=outcome.files)

    async def _long_text(self, run: Object, sequence: int) -> str | None:
        stored = await self._bus.at(RUNS, sequence)
        uid = RunUid(uid_of(run))
        if stored is None or stored.subject != run_out(run["metadata"]["namespace"], uid):
            return None
        try:
            line = recorded_event(stored.data)
        except PermanentError:
            return None
        return line.text if isinstance(line, Result) else None
