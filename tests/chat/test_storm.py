"""A thousand chats and a platform that is busy: every answer is shown, none in a penalty."""

from dataclasses import replace

import pytest

from sympozium.chat.capabilities import Capabilities, Rate
from tests.chat.simulation import Simulation, Weather
from tests.chat.stand_in import CAPABILITIES

GROUPS = replace(
    CAPABILITIES,
    per_chat=(Rate(1, 1.0), Rate(20, 60.0)),
    overall=(Rate(30, 1.0),),
    finds_posts=False,
)
CHANNELS = replace(CAPABILITIES, per_chat=(Rate(5, 5.0),), overall=(Rate(50, 1.0),))


@pytest.mark.looptime(noop_cycles=2)
@pytest.mark.timeout(60)
@pytest.mark.parametrize("capabilities", [GROUPS, CHANNELS], ids=["groups", "channels"])
@pytest.mark.parametrize("busy_share", [0.0, 0.1], ids=["calm", "storm"])
async def test_every_answer_is_shown_once_and_nothing_is_called_in_a_penalty(
    capabilities: Capabilities, busy_share: float
) -> None:
    simulation = Simulation(capabilities, Weather(busy_share=busy_share), seed=7)
    figures = await simulation.run(chats=1000, replies=2000)
    assert (figures.lost, figures.doubled, figures.out_of_order) == (0, 0, 0)
    assert (figures.in_penalty, figures.avoidable) == (0, 0)
    if not busy_share:
        assert figures.share > 0.8  # a call is counted while it is under way, too
