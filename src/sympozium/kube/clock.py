"""The API server's time, as it dates its answers.

What is in objects was stamped by that clock. A program whose own one is wrong, or was just
set, and which compared the two would end what has hardly begun.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

AGREES_WITHIN_S = 2.0
"""So far a right clock may be from the date of an answer: whole seconds, and the answer's way."""


class ServerClock:
    """Tells the time of the server whose dates it hears; before the first one, of this machine.

    Where this machine's clock agrees, that is believed, because it is finer. Between two
    dates the time goes on by a clock that nobody sets.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._heard = ""
        self._ahead_s: float | None = None
        """Of the clock that nobody sets, in seconds; None: no date was heard."""

    def hear(self, date: str) -> None:
        """Take note of an answer's `Date`; one that cannot be read says nothing."""
        if date == self._heard:
            return
        self._heard = date
        try:
            told = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return
        wall = self._wall()
        agrees = abs(wall - told) <= AGREES_WITHIN_S
        self._ahead_s = (wall if agrees else told) - self._monotonic()

    def now(self) -> datetime:
        """Return the present moment, aware."""
        if self._ahead_s is None:
            return datetime.fromtimestamp(self._wall(), UTC)
        return datetime.fromtimestamp(self._monotonic() + self._ahead_s, UTC)
