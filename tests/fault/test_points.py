"""Whoever dies at a sync point costs nobody an answer, and gives nobody two.

A short fixed set runs with all other tests; all points and the table of what came of
them is `python -m tests.fault.points`.
"""

import pytest

from sympozium.runtime.sync_points import Point
from tests.fault.laboratory import laboratory, load_of
from tests.fixtures.system import System

SHORT = (
    Point.WEB_AFTER_STORE,
    Point.ROUTER_AFTER_CREATE,
    Point.ROUTER_AFTER_FINISH,
    Point.ROUTER_AFTER_PUBLISH,
    Point.CONTROLLER_AFTER_STATUS,
    Point.BRIDGE_AFTER_END,
    Point.AGENT_BEFORE_END,
    Point.ROUTER_AFTER_CANCEL,
)
"""Between each two effects of a message's way, once."""


@pytest.mark.timeout(180)
async def test_a_death_between_any_two_effects_costs_nobody_an_answer(
    system: System, model_port: int
) -> None:
    async with laboratory(system, model_port, seed=1, with_bot=False) as lab:
        outcomes = [await lab.run(point) for point in SHORT]
    verdicts = {outcome.point: outcome.verdict for outcome in outcomes}
    assert verdicts == dict.fromkeys(SHORT, "recovered")


def test_every_point_has_something_going_on_at_it() -> None:
    assert {load_of(point).__name__ for point in Point} == {
        "talk", "stop", "collect", "steer", "chat",
    }  # fmt: skip
