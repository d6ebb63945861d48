"""The line with which a run ends, as the bus has it."""

from dataclasses import dataclass
from enum import Enum

from sympozium.bus.ports import Bus, Stored
from sympozium.contract.errors import PermanentError
from sympozium.contract.run_events import Failure, Result, recorded_event
from sympozium.contract.subjects import RUNS


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


def _ending_of(stored: Stored) -> Ending | None:
    try:
        event = recorded_event(stored.data)
    except PermanentError:
        return None
    return Ending(event, stored.sequence) if isinstance(event, Result | Failure) else None
