"""What a soak says of a system that keeps too much."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.sizes import Taken
from tests.bench.soak import QUARTERS, Memory, Quarter, Wish, not_judged, problems
from tests.bench.steady import Answered

WISH = Wish(minutes=20, warm_up_s=900, rate=3, folder=Path(), stream_mb=16)
QUARTER_S = 300
KEPT = {"stream INBOX": 15.0, "session store": 8.0, "API server": 60.0, "logs": 20.0}
COUNTED = {"rows messages": 900, "objects agentruns": 2000, "objects events": 400}


def quarters(mb_per_hour: float = 0.0) -> list[Quarter]:
    """Return what a system took that keeps what it keeps, and a router that grows."""
    return [
        Quarter(
            began=number * QUARTER_S,
            answered=[Answered(number * QUARTER_S, 0.1)],
            taken={"router": Taken(100.0, 20, 5)},
            memory={"router": _memory(number * QUARTER_S, mb_per_hour)},
            cpu_s={},
            reference_s=0.06,
            disk=KEPT,
            rows=COUNTED,
        )
        for number in range(QUARTERS)
    ]


def _memory(began_s: int, mb_per_hour: float) -> list[Memory]:
    times = range(began_s, began_s + QUARTER_S, 5)
    return [Memory(at_s, 100 + mb_per_hour * at_s / 3600) for at_s in times]


def test_a_system_at_rest_keeps_the_bounds() -> None:
    assert problems(quarters(), WISH) == []


def test_a_program_that_leaks_36_mb_an_hour_is_named() -> None:
    assert problems(quarters(36.0), WISH) == ["router grows by 36 MB an hour, by 36 for certain"]


@pytest.mark.parametrize("name", ["stream INBOX", "session store", "API server"])
def test_what_takes_more_of_the_disk_is_named(name: str) -> None:
    *before, last = quarters()
    more = replace(last, disk=KEPT | {name: KEPT[name] * 2})
    assert problems([*before, more], WISH) == [
        f"{name} grew from {KEPT[name]:g} to {KEPT[name] * 2:g}"
    ]


@pytest.mark.parametrize("name", ["rows messages", "objects agentruns"])
def test_rows_and_objects_that_become_more_are_named(name: str) -> None:
    *before, last = quarters()
    more = replace(last, rows=COUNTED | {name: COUNTED[name] * 2})
    assert problems([*before, more], WISH) == [
        f"{name} grew from {COUNTED[name]} to {COUNTED[name] * 2}"
    ]


def test_what_is_not_full_by_the_end_of_the_warm_up_is_said_and_not_judged() -> None:
    *before, last = quarters()
    more = replace(last, rows={name: 2 * count for name, count in COUNTED.items()})
    short = replace(WISH, warm_up_s=150)
    assert not_judged([*before, more], WISH) == ["objects events"]
    assert not_judged([*before, more], short) == ["objects agentruns", "objects events"]
    assert problems([*before, more], short) == ["rows messages grew from 900 to 1800"]
