"""A cluster whose bus admits only whom the controller vouches for."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sympozium.bus.nats import Address, NatsBus, connect
from sympozium.bus.ports import BusUnavailableError
from sympozium.bus.server import PodServer, ServerAccess, new_issuer, server_config
from sympozium.contract.resources import CHANNELS, DEPLOYMENTS, Object
from sympozium.contract.subjects import reply_prefix
from sympozium_controller.settings import BusSettings
from tests.controller.cluster import (
    NAMESPACE,
    SYSTEM_NAMESPACE,
    Cluster,
    controller,
    settings_for,
)
from tests.fixtures.nats_server import CONFIRM_WITHIN_S, NatsServer, free_port

PASSWORD = "a-password-for-the-controller"
PATIENCE_S = 30.0
REFUSED_AFTER_S = 1.0
"""A bus that admits others at once has refused whom it does not admit within this."""


@dataclass
class Secured:
    """A cluster whose bus admits only whom the controller vouches for."""

    cluster: Cluster
    servers: list[NatsServer]
    bus: BusSettings

    @property
    def server(self) -> NatsServer:
        """The first server, or the only one."""
        return self.servers[0]

    @asynccontextmanager
    async def controller(self) -> AsyncIterator[None]:
        """Run the controller while the block lasts; it may admit nobody at first."""
        async with controller(self.cluster, settings_for(self.bus)):
            yield

    async def admits(self) -> None:
        """Return once the controller admits: from then on nobody is kept out by chance."""
        async with self.connect(await self.router(), "router"):
            pass

    def connect(
        self,
        token: str,
        *identity: str,
        server: NatsServer | None = None,
        confirm_within_s: float = CONFIRM_WITHIN_S,
    ) -> AbstractAsyncContextManager[NatsBus]:
        """Return a connection of the bearer of *token*."""
        address = Address(
            (server or self.server).url,
            "test",
            reply_prefix(*identity),
            token=lambda: token,
            confirm_within_s=confirm_within_s,
        )
        return connect(address, patience_s=PATIENCE_S)

    async def run(self, name: str) -> tuple[Object, str]:
        """Return a new run, and the bus token of its pod."""
        run = await self.cluster.create_run(name)
        job = await self.cluster.job(name)
        pod = await self.cluster.create_pod(job)
        token = await self.cluster.token("sympozium-run", audience="nats", pod=pod)
        return run, token

    async def channel(self, name: str = "web") -> str:
        """Create a Channel and return the bus token of its pods."""
        channel = {
            "apiVersion": CHANNELS.api_version,
            "kind": CHANNELS.kind,
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"type": "web", "agentRef": "helper"},
        }
        await self.cluster.kube.create(CHANNELS, channel)
        await self.cluster.until(DEPLOYMENTS, f"channel-{name}", bool)
        return await self.cluster.token(f"channel-{name}", audience="nats")

    async def router(self) -> str:
        """Return the bus token of the router."""
        return await self.cluster.token(
            "sympozium-router", namespace=SYSTEM_NAMESPACE, audience="nats"
        )


@asynccontextmanager
async def secured_bus(cluster: Cluster, directory: Path, size: int = 1) -> AsyncIterator[Secured]:
    """Yield *size* servers that are one bus, to which nobody is admitted yet."""
    issuer, routes = new_issuer(), [free_port() for _ in range(size)]
    access = ServerAccess(issuer.public_key, "controller", PASSWORD)
    peers = tuple(f"127.0.0.1:{route}" for route in routes)
    servers: list[NatsServer] = []
    for number, route in enumerate(routes):
        folder = directory / f"secured-nats-{number}"
        folder.mkdir()
        server = NatsServer(folder)
        pod = PodServer(
            f"n{number}",
            max_store_bytes=4 << 30,
            monitor_port=free_port(),
            routes=peers,
            routes_port=route,
            routes_password=PASSWORD,
        )
        server.config = server_config(
            access, port=server.port, data_dir=folder, pod=pod if size > 1 else None
        )
        servers.append(server)
    bus = BusSettings(
        ",".join(server.url for server in servers),
        user="controller",
        password=PASSWORD,
        issuer_seed=issuer.seed,
        replicas=size,
    )
    try:
        for server in servers:
            await server.start()
        yield Secured(cluster, servers, bus)
    finally:
        for server in servers:
            server.kill()


@pytest.fixture
async def secured(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Secured]:
    """The cluster, its secured bus, and the controller between them."""
    async with secured_bus(cluster, tmp_path) as made, made.controller():
        await cluster.create_agent()
        await made.admits()
        yield made


async def refused(secured: Secured, token: str, *identity: str) -> None:
    """Hold that the bus does not let the bearer of *token* in."""
    address = Address(secured.server.url, "test", reply_prefix(*identity), token=lambda: token)
    with pytest.raises(BusUnavailableError):
        async with connect(address, patience_s=REFUSED_AFTER_S):
            pass


async def seen_by_server(bus: NatsBus) -> None:
    """Return when the server has dealt with everything that was sent before."""
    await bus.client.flush()  # its ping overtakes what is still to be written
    await bus.client.flush()
