"""How many runs may be starting at once, learned from how long it takes them.

Where a start takes no longer beside others than alone, the cluster is not busy with
starting, and more may start at once. Where it takes longer the more there are, they only
stand in a line of the cluster's, in which nobody can be let pass. This is how TCP Vegas
keeps the queues of a network short.

Source: Brakmo, Peterson, "TCP Vegas: End to End Congestion Avoidance" (1995).
"""

import math

FEWEST = 8
"""Always allowed: two cores are kept busy by half of it."""

MOST = 512

FEW_IN_LINE, MANY_IN_LINE = 3.0, 8.0
"""How many of those that start only wait for each other: below, more may; above, fewer."""

GROWTH = 1.25

DRIFT = 0.02
"""By how much of the difference the fastest start is believed less with each slower one.

Only while no more than the fewest start at once: what is slow then is slow by itself.
"""


class Pace:
    """The number of runs that may be starting at once."""

    def __init__(self) -> None:
        self._window = float(FEWEST)
        self._fastest_s: float | None = None
        self._changed_at = -math.inf

    @property
    def window(self) -> int:
        """How many may be starting at once."""
        return int(self._window)

    def started(self, since: float, now: float, *, was_full: bool) -> None:
        """Learn from one start.

        A change is judged by those that began after it, and by no others.

        Args:
            since: When the run got its turn, on a clock that never goes back.
            now: When it said that it had started.
            was_full: As many as may be were starting, so that others waited for it.
        """
        took_s = max(now - since, 0.001)
        if self._fastest_s is None or took_s < self._fastest_s:
            self._fastest_s = took_s
        elif self._window <= FEWEST:
            self._fastest_s += DRIFT * (took_s - self._fastest_s)
        if since < self._changed_at:
            return
        in_line = self._window * (1 - self._fastest_s / took_s)
        if in_line > MANY_IN_LINE:
            self._change(self._window - in_line + FEW_IN_LINE, now)
        elif in_line < FEW_IN_LINE and was_full:
            self._change(GROWTH * self._window, now)

    def _change(self, window: float, now: float) -> None:
        self._window = min(max(window, float(FEWEST)), float(MOST))
        self._changed_at = now

    def refused(self) -> None:
        """Learn that the cluster has no room for one that is to start."""
        self._window = float(FEWEST)
