"""One thing that was looked at, and how it stands."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from sympozium.chat.checks import Finding
from sympozium.contract.errors import SympoziumError
from sympozium.contract.resources import Object
from sympozium.kube.errors import ForbiddenError


class State(StrEnum):
    """How a thing stands."""

    OK = "ok"
    WARNING = "warning"
    """It works, and a person should know."""
    BAD = "bad"
    UNKNOWN = "unknown"
    """It cannot be looked at, which is no fault of the system's."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        about: What, in a few words.
        text: What is so, in one sentence; no secret.
        remedy: What to do; empty where nothing is wrong.
    """

    about: str
    state: State
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Section:
    """Checks of one matter."""

    title: str
    checks: list[Check]

    def as_object(self) -> Object:
        """Return it as JSON is made of it."""
        checks = [
            {"about": one.about, "state": one.state, "text": one.text, "remedy": one.remedy}
            for one in self.checks
        ]
        return {"title": self.title, "checks": checks}


def good(about: str, text: str) -> Check:
    """Say that a thing is as it should be."""
    return Check(about, State.OK, text)


def bad(about: str, text: str, remedy: str) -> Check:
    """Say that a thing is wrong, and what to do."""
    return Check(about, State.BAD, text, remedy)


def warning(about: str, text: str, remedy: str) -> Check:
    """Say what a person should know."""
    return Check(about, State.WARNING, text, remedy)


def unknown(about: str, text: str, remedy: str = "") -> Check:
    """Say that a thing cannot be looked at."""
    return Check(about, State.UNKNOWN, text, remedy)


def from_finding(finding: Finding) -> Check:
    """Return what the check of a bot account found."""
    state = State.OK if finding.is_good else State.BAD
    return Check(finding.about, state, finding.text, finding.remedy)


def looked_at(about: str, look: Callable[[], Iterable[Check]]) -> list[Check]:
    """Return what *look* finds; where it may not look that is said, and where it fails too."""
    try:
        return [*look()]
    except ForbiddenError as error:
        return [unknown(about, str(error))]
    except SympoziumError as error:
        return [bad(about, str(error), "mend that first")]
