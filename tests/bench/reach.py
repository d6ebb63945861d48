"""What a sync point costs a program that is told of none, beside an empty call in the same run.

`python -m tests.bench.reach`, also in `make bench`. A loop around nothing is taken off both.
"""

import timeit
from statistics import median

from sympozium.runtime.reach import arm, reach
from sympozium.runtime.sync_points import Point

CALLS = 1_000_000
ROUNDS = 7


def nothing(point: Point) -> None:
    """Do nothing."""


def nanoseconds(statement: str) -> float:
    """Return what *statement* takes."""
    names = {"reach": reach, "nothing": nothing, "point": Point.CHANNEL_AFTER_ACK}
    rounds = timeit.repeat(statement, globals=names, number=CALLS, repeat=ROUNDS)
    return median(rounds) * 1e9 / CALLS


def main() -> None:
    """Print both."""
    arm({})
    loop = nanoseconds("pass")
    ours, empty = nanoseconds("reach(point)") - loop, nanoseconds("nothing(point)") - loop
    print(
        f"a sync point that nobody asked for: {ours:.0f} ns, an empty call {empty:.0f} ns "
        f"(x{ours / empty:.2f}; {CALLS:,} calls, the median of {ROUNDS} rounds)"
    )


if __name__ == "__main__":
    main()
