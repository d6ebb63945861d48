"""A reaction follows the facts and never goes back."""

import asyncio
from itertools import permutations

import pytest

from sympozium.chat.outbox.reactions import Marks, Outcome, advanced
from sympozium.chat.platform import Mark, Target
from tests.chat.stage import asked

pytestmark = pytest.mark.looptime

TARGET = asked("m1").target


class Shower:
    """Shows reactions, as a platform with the given outcomes would."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[Mark] = []
        self.shown: list[Mark] = []

    async def show(self, target: Target, mark: Mark) -> Outcome:
        self.asked.append(mark)
        await asyncio.sleep(0.1)
        outcome = self.outcomes.pop(0) if self.outcomes else Outcome.SHOWN
        if outcome is Outcome.SHOWN:
            self.shown.append(mark)
        return outcome


async def run(marks: Marks, shower: Shower, *facts: Mark, gap_s: float = 0.0) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(marks.show_loop(shower.show, stop))
        for fact in facts:
            marks.reach(TARGET, fact)
            await asyncio.sleep(gap_s)
        await asyncio.sleep(60.0)
        stop.set()


async def test_what_is_not_stored_yet_is_shown_so_once_and_no_longer_than_that() -> None:
    shower = Shower()
    await run(Marks(), shower, Mark.HELD, Mark.HELD, Mark.HELD, Mark.STORED, gap_s=2.0)
    assert shower.asked == [Mark.HELD, Mark.STORED]


async def test_a_moment_in_which_nothing_can_be_stored_is_not_shown() -> None:
    shower = Shower()
    await run(Marks(), shower, Mark.HELD, Mark.STORED, gap_s=0.5)
    assert shower.asked == [Mark.STORED]


@pytest.mark.parametrize("facts", list(permutations([Mark.STORED, Mark.RUNNING, Mark.DONE])))
async def test_in_whatever_order_facts_come_the_last_state_stays(facts: tuple[Mark, ...]) -> None:
    shower = Shower()
    await run(Marks(), shower, *facts, gap_s=1.0)
    assert shower.shown[-1] is Mark.DONE
    ranks = [list(Mark).index(mark) for mark in shower.shown]
    assert ranks == sorted(set(ranks))


async def test_facts_that_follow_at_once_cost_one_call() -> None:
    shower = Shower()
    await run(Marks(), shower, Mark.STORED, Mark.RUNNING, Mark.DONE)
    assert shower.asked[-1] is Mark.DONE
    assert len(shower.asked) <= 2


async def test_a_run_that_begins_at_once_saves_the_first_reaction() -> None:
    shower = Shower()
    await run(Marks(), shower, Mark.STORED, Mark.RUNNING, gap_s=0.1)
    assert shower.asked == [Mark.RUNNING]


async def test_a_fact_that_is_known_costs_no_call() -> None:
    shower = Shower()
    await run(Marks(), shower, Mark.RUNNING, Mark.RUNNING, Mark.STORED, gap_s=1.0)
    assert shower.asked == [Mark.RUNNING]


async def test_what_had_no_room_is_shown_later_and_only_its_last_state() -> None:
    shower = Shower(Outcome.SHED, Outcome.SHED, Outcome.SHED)
    await run(Marks(), shower, Mark.STORED, Mark.RUNNING, Mark.FAILED, gap_s=0.3)
    assert shower.shown == [Mark.FAILED]


async def test_what_may_be_lost_is_shown_again_but_not_for_ever() -> None:
    shower = Shower(*[Outcome.LOST] * 3)
    await run(Marks(), shower, Mark.DONE)
    assert shower.asked == [Mark.DONE] * 4
    shower = Shower(*[Outcome.LOST] * 100)
    await run(Marks(), shower, Mark.DONE)
    assert len(shower.asked) < 10


@pytest.mark.parametrize("outcome", [Outcome.OFF, Outcome.GONE])
async def test_what_cannot_be_shown_is_not_asked_for_again(outcome: Outcome) -> None:
    shower = Shower(outcome)
    await run(Marks(), shower, Mark.STORED)
    assert shower.asked == [Mark.STORED]


async def test_where_nothing_was_put_nothing_is_taken_away() -> None:
    shower = Shower()
    await run(Marks(), shower, Mark.NONE)
    assert shower.asked == []
    shower = Shower()
    await run(Marks(), shower, Mark.STORED, Mark.NONE, gap_s=1.0)
    assert shower.shown == [Mark.STORED, Mark.NONE]


def test_an_end_is_the_end() -> None:
    for end in (Mark.DONE, Mark.FAILED, Mark.NONE):
        for other in Mark:
            assert advanced(end, other) is end
