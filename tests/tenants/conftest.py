"""A cluster in which the test plays kubelet, with the rights and rules of the chart."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sympozium.kube.client import connect
from sympozium.kube.endpoint import Endpoint
from sympozium_controller.settings import BusSettings, Settings
from sympozium_local.apiserver.server import serve
from tests.controller.cluster import Cluster, settings_for
from tests.fixtures.nats_server import NatsServer


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """An API server with our kinds, and the rights of our programs."""
    directory = tmp_path / "api"
    directory.mkdir()
    async with serve(directory) as served:
        endpoint = Endpoint(served.url, served.ca_file, served.token_file)
        async with connect(endpoint) as kube:
            made = Cluster(kube, served.url, served.ca_file, tmp_path)
            await made.install()
            yield made


@pytest.fixture
def settings(nats_server: NatsServer) -> Settings:
    """Settings of a controller on a bus without access control."""
    return settings_for(BusSettings(nats_server.url))
