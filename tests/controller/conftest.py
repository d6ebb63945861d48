"""A cluster without Job controller and kubelet, and the controller in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import hypothesis
import pytest

from sympozium.bus.nats import NatsBus
from sympozium.kube.client import connect
from sympozium.kube.endpoint import Endpoint
from sympozium_controller.settings import BusSettings, Settings
from sympozium_local.apiserver.server import serve
from tests.controller.cluster import Cluster, controller, settings_for
from tests.fixtures.nats_server import NatsServer

# How long an example takes depends on who else uses the machine.
hypothesis.settings.register_profile("shared-machine", deadline=None)
hypothesis.settings.load_profile("shared-machine")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """An API server with our kinds and the rights of our programs."""
    directory = tmp_path / "api"
    directory.mkdir()
    async with serve(directory) as endpoint:
        administrator = Endpoint(endpoint.url, endpoint.ca_file, endpoint.token_file)
        async with connect(administrator) as kube:
            cluster = Cluster(kube, endpoint.url, endpoint.ca_file, tmp_path)
            await cluster.install()
            yield cluster


@pytest.fixture
def settings(nats_server: NatsServer) -> Settings:
    """Settings of a controller on a bus without access control."""
    return settings_for(BusSettings(nats_server.url))


@pytest.fixture
async def controlled(cluster: Cluster, bus: NatsBus, settings: Settings) -> AsyncIterator[Cluster]:
    """The cluster with a running controller."""
    async with controller(cluster, settings):
        yield cluster
