"""Durations as people write them in a manifest, and times as Kubernetes writes them."""

import re
from datetime import UTC, datetime, timedelta

from sympozium.contract.errors import PermanentError

DURATION_PATTERN = r"^([0-9]+h([0-9]+m)?([0-9]+s)?|[0-9]+m([0-9]+s)?|[0-9]+s)$"
"""Go durations in whole hours, minutes and seconds: `10m`, `1h30m`, `90s`."""

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def parse_duration(text: str) -> timedelta:
    """Return the duration that *text* (`10m`, `1h30m`, `90s`) means.

    Raises:
        PermanentError: *text* is empty, zero, longer than any calendar or in another form.
    """
    match = _DURATION.fullmatch(text)
    hours, minutes, seconds = (part or "0" for part in match.groups()) if match else ("0",) * 3
    try:
        duration = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds))
    except (OverflowError, ValueError):  # too large for a timedelta, or for an int to be read
        duration = timedelta(0)
    if not duration:
        raise PermanentError(f"cannot read duration {text[:40]!r}: write it like '10m' or '1h30m'")
    return duration


def kube_time(moment: datetime) -> str:
    """Write an aware *moment* as the API server does: `2026-01-02T03:04:05Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_kube_time(text: str) -> datetime:
    """Read a time as the API server writes it, with or without a fraction."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def read_kube_time(text: str) -> datetime | None:
    """Return the time that *text* is; None where somebody wrote what is none."""
    try:
        moment = parse_kube_time(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
