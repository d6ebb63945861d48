"""Finding a shorter schedule that fails still, by leaving parts of it out."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def shorter(whole: Sequence[T], fails: Callable[[Sequence[T]], bool], *, until: float) -> list[T]:
    """Return the shortest part of *whole* that was seen to fail, by *until* on the monotonic clock.

    First each half is left out, then each quarter and so on, down to single ones.
    """
    known, parts = list(whole), 2
    while len(known) > 1:
        size = -(-len(known) // parts)
        for begin in range(0, len(known), size):
            if time.monotonic() > until:
                return known
            rest = known[:begin] + known[begin + size :]
            if fails(rest):
                known, parts = rest, max(2, parts - 1)
                break
        else:
            if size == 1:
                return known
            parts = min(len(known), 2 * parts)
    return known
