"""Who may try a server that is away: one at a time, a few times a second.

Without it, everybody who needs a server that does not answer would wait for it in
vain, and all their attempts would fall upon it as soon as it is back.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from sympozium.store.ports import StoreUnavailableError

TRY_AGAIN_S = 0.25


class StoreLostError(StoreUnavailableError):
    """There is no connection: whoever tries now would meet the same."""


class Gate:
    """Open while the server answers. `StoreLostError` shuts it, and one success opens it."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._cause = ""
        self._try_at = 0.0
        self._is_tried = False

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Let a caller through, and learn from how it went.

        Raises:
            StoreUnavailableError: The server is away, and it is not this caller's turn to try.
        """
        is_trying = bool(self._cause)
        if is_trying and (self._is_tried or self._clock() < self._try_at):
            raise StoreUnavailableError(self._cause)
        self._is_tried = is_trying
        try:
            yield
        except StoreLostError as error:
            self._cause, self._try_at = str(error), self._clock() + TRY_AGAIN_S
            raise
        else:
            self._cause = ""
        finally:
            if is_trying:
                self._is_tried = False
