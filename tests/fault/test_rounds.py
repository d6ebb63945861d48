"""The rounds of the long run have everything in them that people do under a seeded schedule."""

from sympozium.runtime.sync_points import Point
from tests.fault.acts import AT_THE_BOT, ON_THE_WEB
from tests.fault.rounds import CYCLE, KINDS, Round, parse


def test_whatever_people_do_under_a_schedule_they_do_in_a_round_too() -> None:
    done = {(kind.mode, load) for kind in KINDS.values() for load in kind.loads}
    wanted = {(mode, load) for mode, loads in ON_THE_WEB.items() for load in loads}
    assert wanted <= done
    assert set(AT_THE_BOT) <= {load for _, load in done}
    assert set(CYCLE) == set(KINDS)


def test_a_round_of_each_kind_is_read_as_it_was_printed() -> None:
    for kind, one in KINDS.items():
        drawn = Round(3, kind, (Point.ROUTER_RECEIVED, *one.own))
        assert parse(f"{drawn} ") == drawn
