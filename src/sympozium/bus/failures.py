"""What may go wrong with an answer of the servers, told as one error."""

from collections.abc import Iterator
from contextlib import contextmanager

import nats.errors

from sympozium.bus.cancelled import heed_cancellation
from sympozium.bus.ports import BusUnavailableError


@contextmanager
def asked_to(what: str) -> Iterator[None]:
    """Wait in the block, and nowhere else, for what the library says that the servers answered.

    Raises:
        BusUnavailableError: The library raised what the block does not know, or the network
            did something to it; the text begins with "cannot" and *what*.
        CancelledError: The task was cancelled, and the library has swallowed it.
    """
    try:
        yield
    except (nats.errors.Error, TimeoutError, OSError) as error:
        raise BusUnavailableError(f"cannot {what}: {str(error) or type(error).__name__}") from error
    heed_cancellation()
