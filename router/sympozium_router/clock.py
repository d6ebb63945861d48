"""What time it is, as something that tests can set."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present, aware."""


def utc_now() -> datetime:
    """Return the present."""
    return datetime.now(UTC)
