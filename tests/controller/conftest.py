"""A cluster without Job controller and kubelet, and the controller in it."""

from collections.abc import AsyncIterator

import hypothesis
import pytest

from sympozium.bus.nats import NatsBus
from sympozium_controller.settings import Settings
from tests.controller.cluster import Cluster, controller
from tests.controller.fixtures import cluster, settings

__all__ = ["cluster", "controlled", "settings"]

# How long an example takes depends on who else uses the machine.
hypothesis.settings.register_profile("shared-machine", deadline=None)
hypothesis.settings.load_profile("shared-machine")


@pytest.fixture
async def controlled(cluster: Cluster, bus: NatsBus, settings: Settings) -> AsyncIterator[Cluster]:
    """The cluster with a running controller."""
    async with controller(cluster, settings):
        yield cluster
