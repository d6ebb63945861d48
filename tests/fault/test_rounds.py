"""The rounds of the long run have everything in them that people do under a seeded schedule."""

from collections import Counter
from itertools import cycle, product

from sympozium.runtime.sync_points import Point
from tests.fault.acts import AT_A_BOT, ON_THE_WEB
from tests.fault.bots import PLATFORMS
from tests.fault.rounds import CYCLE, KINDS, Plan, Round, parse


def test_whatever_people_do_under_a_schedule_they_do_in_a_round_too() -> None:
    done = {(kind.mode, load) for kind in KINDS.values() for load in kind.loads}
    wanted = {(mode, load) for mode, loads in ON_THE_WEB.items() for load in loads}
    assert wanted <= done
    assert set(AT_A_BOT) <= {load for _, load in done}
    assert set(CYCLE) == set(KINDS)


def test_a_round_of_each_kind_is_read_as_it_was_printed() -> None:
    for (kind, one), platform in zip(KINDS.items(), cycle(PLATFORMS), strict=False):
        drawn = Round(3, kind, platform, (Point.ROUTER_RECEIVED, *one.own))
        assert parse(f"{drawn} ") == drawn


def test_every_kind_of_round_is_one_of_every_platform() -> None:
    plan = Plan(1)
    rounds = [plan.draw(Counter(), (), bus=False) for _ in range(len(CYCLE) * len(PLATFORMS))]
    assert {(one.kind, one.platform) for one in rounds} == set(product(KINDS, PLATFORMS))
