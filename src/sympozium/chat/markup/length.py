"""How long a text is, in the unit in which a platform counts."""

from dataclasses import dataclass
from enum import StrEnum

LEAST_SIZE = 200
"""The smallest limit that leaves room for words beside the longest markup around them."""


class LengthUnit(StrEnum):
    """What a platform counts when it says "characters"."""

    CODE_POINTS = "code-points"
    UTF16 = "utf-16"
    BYTES = "bytes"


@dataclass(frozen=True)
class Limit:
    """The longest text of one message of a platform, counted as it is sent.

    Raises:
        ValueError: *size* is below `LEAST_SIZE`; no platform's messages are that short.
    """

    size: int
    unit: LengthUnit

    def __post_init__(self) -> None:
        if self.size < LEAST_SIZE:
            raise ValueError(
                f"cannot split answers at {self.size!r}: markup alone may be longer; "
                f"set a limit of {LEAST_SIZE} or more"
            )


def measure(text: str, unit: LengthUnit) -> int:
    """Return the length of *text*, which holds no lone surrogates, in *unit*."""
    if unit is LengthUnit.CODE_POINTS or text.isascii():
        return len(text)
    if unit is LengthUnit.UTF16:
        return len(text.encode("utf-16-le")) // 2
    return len(text.encode())
