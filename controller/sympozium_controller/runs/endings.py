"""The line with which a run ends, as the bus has it."""

from dataclasses import dataclass
from enum import Enum

from sympozium.bus.ports import Stored
from sympozium.contract.envelope import decode
from sympozium.contract.errors import PermanentError
from sympozium.contract.run_events import Failure, Result, RunEvent


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


def ending_of(stored: Stored | None) -> Ending | Silence:
    """Return the ending that a run's newest line is, if it is one.

    A run says nothing after its ending, so the newest line tells.
    """
    if stored is None:
        return Silence.NOTHING
    try:
        event: RunEvent = decode(stored.data, RunEvent)  # type: ignore[arg-type] # a union
    except PermanentError:
        return Silence.NOTHING
    if isinstance(event, Result | Failure):
        return Ending(event, stored.sequence)
    return Silence.NOTHING
