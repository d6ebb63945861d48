"""The line with which a run ends, and what it took in on the way, as the bus has it."""

from dataclasses import dataclass
from enum import Enum

from sympozium.bus.ports import Bus, Stored
from sympozium.contract.errors import PermanentError
from sympozium.contract.names import MessageId, RunUid
from sympozium.contract.run_events import Absorbed, Failure, RecordedLine, Result, recorded_event
from sympozium.contract.subjects import RUNS, run_in, run_out


@dataclass(frozen=True)
class Ending:
    """A run's answer, or its own word that there is none.

    Attributes:
        sequence: Where RUNS holds the line.
    """

    event: Result | Failure
    sequence: int


class Silence(Enum):
    """What is known where there is no `Ending`."""

    NOT_ASKED = "not asked"
    NOTHING = "nothing"
    """The bus was asked and holds no ending of this run."""


async def stored_ending(bus: Bus, subject: str) -> Ending | Silence:
    """Return the ending that RUNS holds under a run's *subject*, if there is one.

    As a rule it is the newest line. Where that is something else, all lines are
    gone through: a bus may be made to put the acknowledgement of a stranger's
    message there, and such a line must not hide an ending.

    Raises:
        BusUnavailableError: No answer in time.
    """
    newest = await bus.last(RUNS, subject)
    if newest is None:
        return Silence.NOTHING
    ending = _ending_of(newest)
    since = 1
    while ending is None:
        line = await bus.next(RUNS, subject, since=since)
        if line is None or line.sequence >= newest.sequence:
            return Silence.NOTHING
        ending = _ending_of(line)
        since = line.sequence + 1
    return ending


async def was_handed_something(bus: Bus, namespace: str, uid: RunUid) -> bool:
    """Return whether a message was handed to a run while it was active.

    Raises:
        BusUnavailableError: No answer in time.
    """
    return await bus.last(RUNS, run_in(namespace, uid)) is not None


async def absorbed_messages(bus: Bus, namespace: str, uid: RunUid) -> list[MessageId]:
    """Return the messages that a run said it took in, in its order, each once.

    They are read from the bus and not remembered: a controller that was killed
    between hearing of one and the run's end must not have its sender answered twice.

    Raises:
        BusUnavailableError: No answer in time.
    """
    found: dict[MessageId, None] = {}
    subject, since = run_out(namespace, uid), 1
    while (line := await bus.next(RUNS, subject, since=since)) is not None:
        event = _event_of(line)
        if isinstance(event, Result | Failure):
            break
        if isinstance(event, Absorbed):
            found[event.message_id] = None
        since = line.sequence + 1
    return list(found)


def _ending_of(stored: Stored) -> Ending | None:
    event = _event_of(stored)
    return Ending(event, stored.sequence) if isinstance(event, Result | Failure) else None


def _event_of(stored: Stored) -> RecordedLine | None:
    try:
        return recorded_event(stored.data)
    except PermanentError:
        return None
