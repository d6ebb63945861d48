"""A cluster and the settings of a controller, for the conftest of whoever tests with them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sympozium_controller.settings import BusSettings, Settings
from tests.controller.cluster import Cluster, installed, settings_for
from tests.fixtures.nats_server import NatsServer


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """An API server with our kinds and the rights of our programs."""
    async with installed(tmp_path) as made:
        yield made


@pytest.fixture
def settings(nats_server: NatsServer) -> Settings:
    """Settings of a controller on a bus without access control."""
    return settings_for(BusSettings(nats_server.url))
