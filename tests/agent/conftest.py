"""A pod around a real bus and the demonstration model."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sympozium.bus.nats import NatsBus
from sympozium_local.demo_model.server import DemoModel, serve
from tests.agent.pod import Pod
from tests.fixtures.nats_server import NatsServer


@pytest.fixture
async def demo() -> AsyncIterator[DemoModel]:
    """A model on a free port."""
    async with serve() as model:
        yield model


@pytest.fixture
async def pod(
    tmp_path: Path, nats_server: NatsServer, bus: NatsBus, demo: DemoModel
) -> AsyncIterator[Pod]:
    """A pod with an empty volume and no container running, whose router answers."""
    pod = Pod(tmp_path, nats_server, bus, demo)
    pod.layout.root.mkdir()
    async with pod.router():
        yield pod
    pod.kill_all()
