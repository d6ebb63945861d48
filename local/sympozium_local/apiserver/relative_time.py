"""Times as people read them in tables: how long ago, in one or two units."""

from datetime import datetime
from typing import Any


def seconds_between(earlier: str | datetime, later: str | datetime) -> int:
    """Return the whole seconds from one time to another; times may be RFC 3339 texts."""
    return int((_time(later) - _time(earlier)).total_seconds())


def _time(value: str | datetime) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def age(timestamp: Any, now: datetime) -> str:
    """Return how long ago *timestamp* was, as in the AGE column."""
    if not timestamp:
        return "<unknown>"
    try:
        return human_duration(seconds_between(str(timestamp), now))
    except (ValueError, TypeError):
        return "<invalid>"


def human_duration(seconds: int) -> str:
    """Return a duration in at most two units: `45s`, `2m30s`, `3h`, `5d4h`, `2y45d`.

    The grades are those of k8s.io/apimachinery pkg/util/duration.
    """
    if seconds < -1:
        return "<invalid>"
    seconds = max(seconds, 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 60 * 2:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m" + _rest(seconds % 60, "s")
    if minutes < 60 * 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h" + _rest(minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 24 * 8:
        return f"{days}d" + _rest(hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    if days < 365 * 8:
        return f"{days // 365}y" + _rest(days % 365, "d")
    return f"{days // 365}y"


def _rest(count: int, unit: str) -> str:
    return f"{count}{unit}" if count else ""
