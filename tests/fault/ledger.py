"""The ledger: what people said, and whether each of it has exactly one end, where it belongs."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from typing_extensions import override

from sympozium.contract.messages import OutboundKind, OutboundMessage
from tests.fault.observer import Observer, Stored


class Breach(StrEnum):
    """A promise that was not kept."""

    LOST = "lost"
    DOUBLED = "doubled"
    MISPLACED = "misplaced"
    DISORDERED = "out of order"
    SILENT = "silent"
    STUCK = "stuck"
    """Something was never accepted, or did not come to its end."""
    UNEXPLAINED = "unexplained"
    """It ended with an error for which nothing was done."""


@dataclass(frozen=True)
class Said:
    """What a person said and the channel accepted.

    Attributes:
        token: In its text, and in the text of every answer to it.
        conversation: Where it was said, by the lab's name.
        is_command: Answered by the system, out of line.
        identity: What the platform calls it; empty: it is no message of a platform.
        is_withdrawn: Deleted by who wrote it, so that it may have no answer, and may not even
            be stored where its platform did not tell of it before.
    """

    token: str
    conversation: str
    is_command: bool = False
    identity: str = ""
    is_withdrawn: bool = False

    @property
    def is_in_line(self) -> bool:
        """Whether its answer comes after those of what was said before it."""
        return not (self.is_command or self.is_withdrawn)


@dataclass(frozen=True)
class Entry:
    """A promise that was not kept, and of whom."""

    breach: Breach
    said: Said
    detail: str = ""

    @override
    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.breach}: {self.said.token} of {self.said.conversation} {self.detail}".strip()


def check(said: Sequence[Said], observer: Observer, accepted: Collection[str] = ()) -> list[Entry]:
    """Return every promise about *said*, in the order in which it was said, that was not kept.

    *accepted* is what platforms were told to be received, by their own names for it.
    """
    found = [entry for one in said for entry in _check(one, observer, accepted)]
    return found or _check_order(said, observer)


def _check(said: Said, observer: Observer, accepted: Collection[str]) -> list[Entry]:
    stored = observer.stored(said.token)
    ids = {one.message.message_id for one in stored}
    is_accepted = said.identity in accepted
    if not ids and said.is_withdrawn and not is_accepted:
        return []
    if len(ids) != 1:
        breach = Breach.DOUBLED if ids else Breach.LOST
        told = ", and its platform was told that it is received" if is_accepted else ""
        return [Entry(breach, said, f"stored {len(ids)} times{told}")]
    ends = observer.ends(stored[0].message.message_id)
    if not ends:
        return [Entry(Breach.SILENT, said)]
    found = []
    if len(ends) > 1:
        found.append(Entry(Breach.DOUBLED, said, f"{len(ends)} ends"))
    if not _is_in_place(said, stored[0], ends[0], observer):
        found.append(Entry(Breach.MISPLACED, said, f"{ends[0].kind} {ends[0].text[:80]!r}"))
    return found


def _is_in_place(said: Said, stored: Stored, end: OutboundMessage, observer: Observer) -> bool:
    if end.conversation != stored.message.conversation:
        return False
    match end.kind:
        case OutboundKind.FINAL:
            return said.is_command or said.token in end.text
        case OutboundKind.JOINED:
            others = observer.ends(end.answered_with)
            return any(said.token in other.text or other.error for other in others)
        case OutboundKind.DROPPED:
            return said.is_withdrawn
        case _:
            return end.error is not None


def _check_order(said: Sequence[Said], observer: Observer) -> list[Entry]:
    """Compare the order of the ends with that of INBOX, conversation by conversation."""
    ends: dict[str, list[Placed]] = {}
    for one in said:
        if one.is_in_line:
            (stored, *_) = observer.stored(one.token)
            place = observer.place_of_end(stored.message.message_id)
            ends.setdefault(one.conversation, []).append(Placed(stored.sequence, place, one))
    return [entry for in_line in ends.values() for entry in out_of_order(in_line)]


class Placed(NamedTuple):
    """What was said, its place in INBOX, and the place of its end among others."""

    asked: int
    answered: int
    said: Said


def out_of_order(of_one_conversation: Iterable[Placed]) -> list[Entry]:
    """Return what is answered before something that was said earlier."""
    return [
        Entry(Breach.DISORDERED, after.said)
        for before, after in pairwise(sorted(of_one_conversation, key=lambda one: one.asked))
        if before.answered > after.answered
    ]
