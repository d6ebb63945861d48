"""Keeping below what Slack allows of a method, where more would cost something important."""

from collections import deque
from collections.abc import Callable
from time import monotonic


class Window:
    """At most *count* within any *per_s* seconds."""

    def __init__(self, count: int, per_s: float, *, clock: Callable[[], float] = monotonic) -> None:
        self._count = count
        self._per_s = per_s
        self._clock = clock
        self._taken: deque[float] = deque()

    def has_room(self) -> bool:
        """Return whether there is room for one more now."""
        while self._taken and self._clock() - self._taken[0] > self._per_s:
            self._taken.popleft()
        return len(self._taken) < self._count

    def take(self) -> None:
        """Count one."""
        self._taken.append(self._clock())
