"""How many runs start at once: as many as start side by side, and no more than that."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium_controller.runs.turns.pace import FEWEST, MANY_IN_LINE, MOST, Pace


def after(starts: int, *, alone_s: float, at_once: float) -> Pace:
    """Have runs start where *at_once* of them start side by side, and others stand in line."""
    pace, now = Pace(), 0.0
    starting: deque[tuple[float, float]] = deque()
    free_at = 0.0
    pace.started(-alone_s, now, was_full=False)
    for _ in range(starts):
        while len(starting) < pace.window:
            free_at = max(free_at, now) + alone_s / at_once
            starting.append((now, max(free_at, now + alone_s)))
        was_full = len(starting) >= pace.window
        since, now = starting.popleft()
        pace.started(since, now, was_full=was_full)
    return pace


def test_a_cluster_in_which_starts_do_not_hinder_each_other_is_given_more_and_more() -> None:
    assert after(2000, alone_s=7.0, at_once=10_000).window > 400


@pytest.mark.parametrize("cores", [2, 4, 8, 32])
def test_what_stands_in_line_in_the_cluster_stays_little(cores: int) -> None:
    window = after(2000, alone_s=0.3, at_once=cores).window
    assert min(cores, FEWEST) <= window <= max(FEWEST, cores + 2 * MANY_IN_LINE)


def test_who_asks_for_little_learns_nothing_about_much() -> None:
    pace = Pace()
    for _ in range(100):
        pace.started(0.0, 1.0, was_full=False)
    assert pace.window == FEWEST


def test_a_full_cluster_ends_what_was_learned_of_an_empty_one() -> None:
    pace = after(500, alone_s=7.0, at_once=10_000)
    pace.refused()
    assert pace.window == FEWEST


@given(starts=st.lists(st.tuples(st.floats(0, 1e6), st.booleans()), max_size=300))
def test_the_number_stays_within_its_bounds(starts: list[tuple[float, bool]]) -> None:
    pace, now = Pace(), 0.0
    for took_s, was_full in starts:
        now += 0.5
        pace.started(now - took_s, now, was_full=was_full)
        assert FEWEST <= pace.window <= MOST
