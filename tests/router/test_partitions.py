"""A router cut off from the bus or from the API server, in both directions or in one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import pytest

from sympozium.bus import nats
from sympozium.bus.nats import PUBLISH_TIMEOUT_S, Address, connect
from sympozium.contract.messages import OutboundKind
from sympozium.contract.resources import AGENT_RUNS
from sympozium.contract.subjects import reply_prefix
from sympozium.kube import client
from sympozium.kube.errors import UnavailableError
from tests.fixtures.impatient import ImpatientKube
from tests.fixtures.nats_server import NatsServer
from tests.fixtures.tcp_proxy import TcpProxy, Way, tcp_proxy
from tests.router.routed import World

pytestmark = pytest.mark.timeout(90)
OpenWorld = Callable[[], AbstractAsyncContextManager[World]]

CUT_FOR_S = PUBLISH_TIMEOUT_S + 1.0
"""Longer than the deadlines of the router's calls, which stands for any length."""

CUTS: dict[str, Callable[[TcpProxy], None]] = {
    "both-ways": lambda proxy: proxy.hold(),
    "there": lambda proxy: proxy.hold(Way.THERE),
    "back": lambda proxy: proxy.hold(Way.BACK),
    "lost-without-a-word": lambda proxy: proxy.strand(),
}


@dataclass
class Between:
    """What lies between a router and what it needs."""

    bus: TcpProxy
    api: TcpProxy
    kube: ImpatientKube


@asynccontextmanager
async def router_between(world: World, nats_server: NatsServer) -> AsyncIterator[Between]:
    """Run a router whose connections lead through a proxy each."""
    url = urlsplit(world.api.endpoint.url)
    assert url.port is not None
    async with tcp_proxy(nats_server.port) as to_bus, tcp_proxy(url.port) as to_api:
        address = Address(f"nats://127.0.0.1:{to_bus.port}", "router", reply_prefix("router"))
        endpoint = replace(world.api.endpoint, url=f"https://{url.hostname}:{to_api.port}")
        async with (
            connect(address) as bus,
            client.connect(endpoint) as patient,
        ):
            kube = ImpatientKube.like(patient)
            async with replace(world, bus=bus, kube=kube).router():
                yield Between(to_bus, to_api, kube)


async def agents_at_work(world: World) -> None:
    """Answer every run, whatever becomes of the test's own watch with the limits set here."""
    while True:
        with suppress(UnavailableError):
            await world.answer_every_run()


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("pair", ["bus", "api"])
async def test_a_router_that_is_cut_off_answers_everybody_once_and_in_order_when_it_is_back(
    open_world: OpenWorld,
    nats_server: NatsServer,
    monkeypatch: pytest.MonkeyPatch,
    pair: str,
    cut: Callable[[TcpProxy], None],
) -> None:
    monkeypatch.setattr(nats, "PING_EVERY_S", 1)
    monkeypatch.setattr(client, "WATCH_SILENCE_S", 2.0)
    async with (
        open_world() as world,
        router_between(world, nats_server) as between,
        asyncio.TaskGroup() as group,
    ):
        agents = group.create_task(agents_at_work(world))
        said = [await world.say(str(n), str(n), conversation=f"c{n % 2}") for n in range(4)]
        await world.shown.accepted(said[0])
        between.kube.patience_s = 1.0
        proxy: TcpProxy = getattr(between, pair)
        cut(proxy)
        said += [await world.say(str(n), str(n), conversation=f"c{n % 2}") for n in range(4, 8)]
        await asyncio.sleep(CUT_FOR_S)
        proxy.mend()
        said += [await world.say(str(n), str(n), conversation=f"c{n % 2}") for n in range(8, 10)]
        await world.shown.until(lambda shown: all(shown.ends(id_) for id_ in said))
        agents.cancel()
        runs = (await world.kube.list(AGENT_RUNS)).items
    assert len(runs) == len(said)
    ends = [one for one in world.shown.messages if one.kind is not OutboundKind.ACCEPTED]
    for start in (0, 1):
        texts = [end.text for end in ends if end.conversation == f"c{start}"]
        assert texts == [f"re: {n}" for n in range(start, 10, 2)]
