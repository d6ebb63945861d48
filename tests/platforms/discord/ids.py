"""Ids as Discord makes them: growing, and telling when they were made."""

import itertools
import time

EPOCH_MS = 1_420_070_400_000

_counter = itertools.count(1)


def new_id() -> str:
    """Return an id that is greater than every one before it."""
    number = next(_counter)
    return str(((int(time.time() * 1000) - EPOCH_MS) << 22) | (number & 0x3FFFFF))
