"""A schedule is drawn from a seed, is text, and can be made shorter."""

import asyncio
import time
from pathlib import Path

import pytest

from sympozium.runtime.sync_points import Point
from tests.fault.schedule import KINDS, draw, parse, possible, read
from tests.fault.seeded import Plan, run_once
from tests.fault.shrink import shorter

SHORT = """
0.5 die web.after-store
1.0 pause router.before-ack 4.0
1.0 pause bridge.before-publish 1.0
1.5 clock web 600 6.0
2.0 clock controller 600 8.0
1.5 slow router-store 0.3 3.0
2.0 stop router 3.0
2.5 deaf controller-bus back 3.0
3.0 slow slack-platform 0.5 3.0
3.0 platform discord busy 2
4.0 die bridge.after-end
4.5 refuse api-webhook 1.5
5.0 reset people-web
5.5 reset router-bus
6.0 api router lost 0.5 writes 3.0
6.0 api controller 429 0.5 all 2.0
6.0 api node 500 0.5 all 2.0
6.5 slow node-api 0.5 2.0
7.0 platform telegram lost-answer 1
7.0 platform slack broken 2
7.0 platform discord lost-answer 1
7.5 platform slack lost-answer 1
8.0 refuse discord-platform 1.5
9.0 fill 1.0
11.0 full 1.0
12.0 kill controller
12.5 kill bridge
12.5 kill store
13.0 kill api
13.0 clock machine -600 4.0
13.5 restart bus
"""
"""Each kind of trouble once at the least, some of them in the middle of others."""


@pytest.mark.timeout(240)
def test_each_kind_of_fault_costs_nobody_an_answer() -> None:
    schedule = [parse(line) for line in SHORT.splitlines() if line]
    assert {type(moment.fault) for moment in schedule} == set(KINDS.values())
    plan = Plan(possible(schedule), seed="short", seconds=14.0)
    result = asyncio.run(run_once(plan))
    assert result.problems == []
    assert result.fates["answered"] > 5
    assert {Point.ROUTER_BEFORE_ACK, Point.BRIDGE_BEFORE_PUBLISH} <= set(result.hit)
    assert result.wronged > 0


def test_a_seed_gives_the_same_schedule_each_time_and_another_seed_another() -> None:
    assert draw(7, 300) == draw(7, 300)
    assert draw(7, 300) != draw(8, 300)


def test_a_schedule_that_is_written_and_read_is_the_same(tmp_path: Path) -> None:
    drawn = draw(3, 3600)
    file = tmp_path / "schedule"
    file.write_text("# a remark\n\n" + "\n".join(str(moment) for moment in drawn))
    assert read(file) == drawn
    assert {type(moment.fault) for moment in drawn} == set(KINDS.values())


def test_a_line_that_says_nothing_is_refused_with_what_there_is() -> None:
    with pytest.raises(ValueError, match="there is no fault 'flood'; there are kill"):
        parse("1.0 flood everything")
    with pytest.raises(ValueError, match="stop takes 2 words, not 1"):
        parse("1.0 stop router")


def test_only_what_is_needed_to_fail_is_left() -> None:
    def fails(part: list[int]) -> bool:
        return {3, 11} <= set(part)

    assert shorter(range(16), lambda part: fails(list(part)), until=time.monotonic() + 10) == [
        3,
        11,
    ]


def test_nothing_is_left_out_when_the_time_is_over() -> None:
    assert shorter([1, 2, 3], lambda _: True, until=0.0) == [1, 2, 3]
