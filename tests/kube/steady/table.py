"""What became of the messages around each blow, as a table."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.fault.observer import Observer
from tests.kube.steady.talk import Fate

HEAD = (
    "| what | at | messages until the next | answered | told a sentence "
    "| end after, p50 | p99 | longest |\n|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Struck:
    """A blow that fell: from when on until the next one messages are laid to it."""

    name: str
    at_s: float


def table(struck: Sequence[Struck], fates: Sequence[Fate], observer: Observer) -> str:
    """Return a row for what was said before the first blow, and one for each blow."""
    begins = [Struck("nothing yet", 0.0), *struck]
    ends = [one.at_s for one in struck] + [float("inf")]
    rows = [
        _row(begin, [one for one in fates if begin.at_s <= one.said_s < end], observer)
        for begin, end in zip(begins, ends, strict=True)
    ]
    return "\n".join([HEAD, *rows, _row(Struck("together", 0.0), fates, observer)])


def _row(struck: Struck, fates: Sequence[Fate], observer: Observer) -> str:
    took_s = sorted(one.ended_s - one.said_s for one in fates if one.ended_s is not None)
    told = sum(_is_told(one, observer) for one in fates)
    row = f"| {struck.name} | {struck.at_s:.0f} s | {len(fates)} | {len(took_s) - told} | {told} |"
    if not took_s:
        return f"{row} | | |"
    high = took_s[min(len(took_s) - 1, int(len(took_s) * 0.99))]
    return f"{row} {statistics.median(took_s):.1f} s | {high:.1f} s | {took_s[-1]:.1f} s |"


def _is_told(fate: Fate, observer: Observer) -> bool:
    """Return whether a message ended with the reason why it has no answer, its own or another's."""
    ends = [
        end
        for stored in observer.stored(fate.said.token)
        for end in observer.ends(stored.message.message_id)
    ]
    return any(end.error is not None for end in ends)
