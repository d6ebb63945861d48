"""What is said of a dead letter beside its bytes: where it lay, why it died, after how many tries.

It travels in the headers of the message that keeps the bytes, so that these stay as
they were found, whatever they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sympozium.contract.names import is_subject_token
from sympozium.contract.subjects import dead

MAX_REASON_CHARS = 1000
UNKNOWN = "unknown"
"""Stands for the namespace or the name in a subject that says none."""

_SUBJECT = "Sympozium-Subject"
_SEQUENCE = "Sympozium-Sequence"
_REASON = "Sympozium-Reason"
_ATTEMPTS = "Sympozium-Attempts"
_TIME = "Sympozium-Time"
_SIZE = "Sympozium-Size"


@dataclass(frozen=True)
class DeadLetter:
    """Why a message of a stream is never delivered again.

    Attributes:
        subject: Where it was published, or would have been.
        sequence: Its place in *stream*; 0: it was never stored there.
        reason: For an operator; holds nothing of the message.
        attempts: How often somebody tried to handle it.
        size_bytes: How long it was. What is kept of it may be shorter.
    """

    stream: str
    subject: str
    sequence: int
    reason: str
    attempts: int
    time: datetime
    size_bytes: int = 0
    known_as: str = ""
    """Identity of what was never stored, for the bus."""

    @property
    def owner(self) -> tuple[str, str]:
        """Namespace, and name of the channel or uid of the run."""
        tokens = [*self.subject.split(".")[1:3], UNKNOWN, UNKNOWN]
        namespace, name = (one if is_subject_token(one) else UNKNOWN for one in tokens[:2])
        return namespace, name

    @property
    def kept_under(self) -> str:
        """The subject of DEAD under which it is kept."""
        return dead(self.stream, *self.owner)

    @property
    def id(self) -> str:
        """Identity for the bus: who died once is kept once."""
        return self.known_as or f"{self.stream}/{self.sequence}"


def headers_of(letter: DeadLetter) -> dict[str, str]:
    """Return what is written beside the bytes."""
    return {
        _SUBJECT: letter.subject,
        _SEQUENCE: str(letter.sequence),
        _REASON: one_line(letter.reason),
        _ATTEMPTS: str(letter.attempts),
        _TIME: letter.time.isoformat(),
        _SIZE: str(letter.size_bytes),
    }


def read_headers(kept_under: str, headers: Mapping[str, str]) -> DeadLetter:
    """Return what `headers_of` wrote. What is missing, or is no number, is taken to be nothing."""
    stream = (*kept_under.split("."), UNKNOWN)[1]
    tail = kept_under.split(".", 2)[-1]
    return DeadLetter(
        stream=stream,
        subject=headers.get(_SUBJECT) or f"{stream.lower()}.{tail}",
        sequence=_number(headers.get(_SEQUENCE, "")),
        reason=headers.get(_REASON, ""),
        attempts=_number(headers.get(_ATTEMPTS, "")),
        time=_time(headers.get(_TIME, "")),
        size_bytes=_number(headers.get(_SIZE, "")),
    )


def one_line(reason: str) -> str:
    """Return *reason* as a header can carry it: one bounded line of ASCII."""
    line = " ".join(reason.split())[:MAX_REASON_CHARS]
    return "".join(char if " " <= char <= "~" else "?" for char in line)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
