"""The growing answer as Delta lines, at most one in 30 ms."""

import asyncio
from collections.abc import Callable

from sympozium.contract.run_events import Delta

MIN_INTERVAL_S = 0.03
"""A person sees no difference, and the journal takes a tenth of the lines."""

MAX_PIECE_CHARS = 8 * 1024
"""Below the longest line that the bridge takes for a delta, whatever JSON escapes in it."""


class LiveText:
    """Collects pieces of text and says them as deltas, the first at once."""

    def __init__(self, say: Callable[[Delta], None]) -> None:
        self._say = say
        self._waiting: list[str] = []
        self._offset = 0
        self._timer: asyncio.TimerHandle | None = None

    def restart(self, *, after: int = 0) -> None:
        """Begin anew what follows the first *after* characters of the answer."""
        self._waiting.clear()
        self._offset = after

    def add(self, text: str) -> None:
        """Have *text* said within `MIN_INTERVAL_S`."""
        self._waiting.append(text)
        if self._timer is None:
            self._say_waiting()
            self._timer = asyncio.get_running_loop().call_later(MIN_INTERVAL_S, self._on_timer)

    def finish(self) -> None:
        """Say what still waits."""
        self._say_waiting()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        if self._waiting:
            self._say_waiting()
            self._timer = asyncio.get_running_loop().call_later(MIN_INTERVAL_S, self._on_timer)

    def _say_waiting(self) -> None:
        text = "".join(self._waiting)
        self._waiting.clear()
        for start in range(0, len(text), MAX_PIECE_CHARS):
            piece = text[start : start + MAX_PIECE_CHARS]
            self._say(Delta(text=piece, offset=self._offset))
            self._offset += len(piece)
