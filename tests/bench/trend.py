"""How fast something grows: a line through samples, and how far chance may have tilted it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

BLOCKS = 8
"""Samples beside each other resemble each other: so many averages of them are taken as measured."""

CERTAIN = 3.7
"""So many standard errors chance reaches once in two hundred times, with 6 degrees of freedom.

Source: the quantiles of Student's distribution (0.995).
"""

HOUR_S = 3600.0


@dataclass(frozen=True)
class Trend:
    """The slope of a line.

    Attributes:
        per_hour: How much more there is after an hour.
        error: The standard error of that.
    """

    per_hour: float
    error: float

    @property
    def certain(self) -> float:
        """How much of the slope chance does not explain, at the least; 0: it may be all chance."""
        return max(0.0, self.per_hour - CERTAIN * self.error)


def trend(samples: Sequence[tuple[float, float]]) -> Trend:
    """Fit a line to *samples*, each a time in seconds and a value.

    Raises:
        ValueError: There are fewer than two for each block.
    """
    size = len(samples) // BLOCKS
    if size < 2:
        raise ValueError(f"cannot fit a line to {len(samples)} samples: {2 * BLOCKS} are needed")
    blocks = [samples[size * number : size * (number + 1)] for number in range(BLOCKS)]
    hours = [fmean(at_s for at_s, _ in block) / HOUR_S for block in blocks]
    values = [fmean(value for _, value in block) for block in blocks]
    middle, level = fmean(hours), fmean(values)
    spread = sum((hour - middle) ** 2 for hour in hours)
    slope = sum((hour - middle) * value for hour, value in zip(hours, values, strict=True)) / spread
    left = sum(
        (value - level - slope * (hour - middle)) ** 2
        for hour, value in zip(hours, values, strict=True)
    )
    return Trend(slope, sqrt(left / (BLOCKS - 2) / spread))
