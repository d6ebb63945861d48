"""Telling what the server refuses us from what it does not answer.

It says that it refuses, apart from the question, and to the question it says nothing.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sympozium.bus.ports import BusDeniedError, BusUnavailableError


def is_denied(denied: Iterable[str], subject: str) -> bool:
    """Return whether one of the refusals *denied*, in lower case, is about *subject*."""
    return any(subject.lower() in text for text in denied)


@contextmanager
def told_apart(denied: Iterable[str], subject: str) -> Iterator[None]:
    """Ask on *subject* in the block.

    Raises:
        BusDeniedError: There was no answer, because we may not ask.
        BusUnavailableError: There was no answer.
    """
    try:
        yield
    except BusUnavailableError as error:
        if is_denied(denied, subject):
            raise BusDeniedError(f"cannot ask on {subject!r}: this identity may not") from error
        raise
