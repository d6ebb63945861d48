"""The built-in controllers on a real embedded API server; the test plays the kubelet."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sympozium.kube.client import Kube, connect
from sympozium.kube.endpoint import Endpoint
from sympozium_local.apiserver.server import serve
from sympozium_local.controllers import run
from tests.embedded.controllers.cluster import Controllers


@pytest.fixture
async def controllers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Controllers]:
    """An API server with running controllers, which finish what they write on a slow disk."""
    monkeypatch.setattr(run, "DRAIN_S", 15.0)
    async with (
        serve(tmp_path) as served,
        connect(Endpoint(served.url, served.ca_file, served.token_file)) as kube,
        asyncio.TaskGroup() as group,
    ):
        running = Controllers(kube, group, served)
        running.start()
        yield running
        await running.stop()


@pytest.fixture
def kube(controllers: Controllers) -> Kube:
    """A client of the cluster."""
    return controllers.kube
