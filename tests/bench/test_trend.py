"""A leak is told from noise by the slope of a line."""

import math
import random

import pytest

from tests.bench.soak import MB_PER_HOUR
from tests.bench.trend import trend

SAMPLES = 240
EVERY_S = 5.0
LEAK_MB_PER_HOUR = 36.0


def samples(mb_per_hour: float, seed: int) -> list[tuple[float, float]]:
    """Return twenty minutes of a program that also holds a block of up to 8 MB."""
    chance = random.Random(seed)
    begins_at = chance.uniform(0, 150)
    times = [number * EVERY_S for number in range(SAMPLES)]
    return [
        (at, 90 + mb_per_hour * at / 3600 + 8 * ((at + begins_at) % 150 / 150) + chance.gauss(0, 1))
        for at in times
    ]


def test_a_line_is_found_whatever_the_clock_says() -> None:
    found = trend([(1e6 + at, 3.0 * at / 3600) for at in range(100)])
    assert math.isclose(found.per_hour, 3.0, rel_tol=1e-6)
    assert found.error < 1e-3


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_of_36_mb_an_hour_is_beyond_the_bound(seed: int) -> None:
    assert trend(samples(LEAK_MB_PER_HOUR, seed)).certain > MB_PER_HOUR


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_not(seed: int) -> None:
    assert trend(samples(0.0, seed)).certain == 0.0


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="16 are needed"):
        trend([(0.0, 1.0)] * 15)
