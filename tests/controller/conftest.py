"""A cluster without Job controller and kubelet, and the controller in it."""

from collections.abc import AsyncIterator

import pytest

from sympozium.bus.nats import NatsBus
from sympozium_controller.settings import Settings
from tests.controller.cluster import Cluster, controller
from tests.controller.fixtures import cluster, settings
from tests.controller.secured import secured

__all__ = ["cluster", "controlled", "secured", "settings"]


@pytest.fixture
async def controlled(cluster: Cluster, bus: NatsBus, settings: Settings) -> AsyncIterator[Cluster]:
    """The cluster with a running controller."""
    async with controller(cluster, settings):
        yield cluster
