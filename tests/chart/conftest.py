"""helm for the tests of the charts, and a cluster for what runs in an installation."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from sympozium.contract.resources import ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS
from tests.chart.helm import CHART, NoHelmError, find_helm
from tests.controller.cluster import Cluster, installed
from tests.controller.fixtures import settings

__all__ = ["cluster", "helm", "settings"]

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
    async with installed(tmp_path) as made:
        for server in ("nats", "postgresql"):
            for obj in yaml.safe_load_all((CHART / "rbac" / f"{server}.yaml").read_text()):
                await made.kube.create(_KINDS[obj["kind"]], obj)
        yield made
