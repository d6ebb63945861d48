"""helm for the tests of the charts, and a cluster for what runs in an installation."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from sympozium.contract.resources import ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS
from sympozium.kube.client import connect
from sympozium.kube.endpoint import Endpoint
from sympozium_controller.settings import BusSettings, Settings
from sympozium_local.apiserver.server import serve
from tests.chart.helm import CHART, NoHelmError, find_helm
from tests.controller.cluster import Cluster, settings_for
from tests.fixtures.nats_server import NatsServer

_KINDS = {one.kind: one for one in (SERVICE_ACCOUNTS, ROLES, ROLE_BINDINGS)}


@pytest.fixture(scope="session")
def helm() -> str:
    """The path of a real helm."""
    try:
        return find_helm()
    except NoHelmError as error:
        pytest.skip(str(error))


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
            for server in ("nats", "postgresql"):
                for obj in yaml.safe_load_all((CHART / "rbac" / f"{server}.yaml").read_text()):
                    await kube.create(_KINDS[obj["kind"]], obj)
            yield made


@pytest.fixture
def settings(nats_server: NatsServer) -> Settings:
    """Settings of a controller on a bus without access control."""
    return settings_for(BusSettings(nats_server.url))
