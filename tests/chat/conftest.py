"""A platform in memory and the engine that shows things there."""

from collections.abc import AsyncIterator

import pytest

from sympozium.bus.nats import NatsBus
from tests.chat.stage import Stage, stage
from tests.chat.stand_in import StandIn


@pytest.fixture
def platform() -> StandIn:
    """A platform that can do everything."""
    return StandIn()


@pytest.fixture
async def channel(bus: NatsBus, platform: StandIn) -> AsyncIterator[Stage]:
    """A channel at work on that platform."""
    async with stage(bus, platform) as made:
        yield made
