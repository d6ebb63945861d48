"""Discord's ids tell when they were made."""

from datetime import UTC, datetime

EPOCH_MS = 1_420_070_400_000
"""The first second of 2015. Source: https://docs.discord.com/developers/reference#snowflakes"""


def time_of(id_: str) -> datetime:
    """Return when a message, thread or interaction was made."""
    return datetime.fromtimestamp(((int(id_) >> 22) + EPOCH_MS) / 1000, UTC)


def first_at(moment_s: float) -> int:
    """Return the smallest id of a moment, given as Unix time."""
    return max(int(moment_s * 1000) - EPOCH_MS, 0) << 22


def is_id(text: str) -> bool:
    """Return whether *text* can be an id."""
    return text.isascii() and text.isdigit() and len(text) <= 20
