"""Whoever dies at a sync point costs nobody an answer, and gives nobody two.

A short fixed set runs with all other tests; all points one by one are `make fault`, and a
thousand deaths `make fault-long`.
"""

import signal
from functools import partial

import pytest

from sympozium.runtime.sync_points import Point
from tests.fault import loads
from tests.fault.laboratory import Trouble, laboratory, load_of
from tests.fault.rounds import Fallen, all_at_once, restart_bus
from tests.fixtures.embedded_system import EmbeddedSystem

pytestmark = pytest.mark.timeout(180)

EARLY = (
    Point.WEB_AFTER_STORE,
    Point.ROUTER_AFTER_CREATE,
    Point.ROUTER_AFTER_CANCEL,
    Point.CONTROLLER_AFTER_STATUS,
    Point.BRIDGE_BEFORE_END,
    Point.BRIDGE_AFTER_END,
)
LATE = (Point.ROUTER_AFTER_FINISH, Point.ROUTER_AFTER_PUBLISH, Point.AGENT_BEFORE_END)
"""Between each two effects of a message's way, once."""


async def test_a_death_between_any_two_effects_costs_nobody_an_answer(
    system: EmbeddedSystem, model_port: int
) -> None:
    everything = partial(all_at_once, wanted=(loads.talk, loads.stop))
    async with laboratory(system, model_port, seed=1) as lab:
        trial = await lab.trial(everything, Trouble(EARLY), name="early")
    assert trial.problems == []
    assert [point for point in EARLY if not trial.deaths[point]] == []


async def test_a_bus_that_dies_among_the_dying_costs_nobody_an_answer(
    system: EmbeddedSystem, model_port: int
) -> None:
    fallen = Fallen()
    async with laboratory(system, model_port, seed=2) as lab:
        restart = partial(restart_bus, lab.pids.home, signal.SIGKILL, 0.7, fallen)
        trial = await lab.trial(loads.talk, Trouble(LATE, meanwhile=restart), name="late")
    assert trial.problems == []
    assert [point for point in LATE if not trial.deaths[point]] == []
    assert len(fallen.moments) == 1


def test_every_point_has_something_going_on_at_it() -> None:
    assert {load_of(point).__name__ for point in Point} == {
        "talk", "stop", "collect", "steer", "chat",
    }  # fmt: skip
