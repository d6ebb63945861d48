"""A controller cut off from the bus or from the API server, in both directions or in one."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from sympozium.bus import nats
from sympozium.bus.nats import NatsBus
from sympozium.contract.resources import JOBS, Object
from sympozium.contract.run_events import Result
from sympozium.kube import client
from sympozium.kube.errors import UnavailableError
from sympozium_controller.settings import Settings
from tests.controller.cluster import NAMESPACE, Cluster, controller, say
from tests.fixtures.nats_server import NatsServer
from tests.fixtures.tcp_proxy import TcpProxy, tcp_proxy
from tests.router.test_partitions import CUT_FOR_S, CUTS

pytestmark = pytest.mark.timeout(90)


async def in_spite_of_silence(wait: Callable[[], Awaitable[Object]]) -> Object:
    """Wait with the test's own watches, which the limits set here end, too."""
    while True:
        with suppress(UnavailableError):
            return await wait()


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("pair", ["bus", "api"])
async def test_a_controller_that_is_cut_off_ends_every_run_with_its_result_when_it_is_back(
    cluster: Cluster,
    bus: NatsBus,
    nats_server: NatsServer,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    pair: str,
    cut: Callable[[TcpProxy], None],
) -> None:
    monkeypatch.setattr(nats, "PING_EVERY_S", 1)
    monkeypatch.setattr(client, "REQUEST_TIMEOUT_S", 1.0)
    api_port = urlsplit(cluster.url).port
    assert api_port is not None
    await cluster.create_agent()
    async with tcp_proxy(nats_server.port) as to_bus, tcp_proxy(api_port) as to_api:
        monkeypatch.setattr(client, "WATCH_SILENCE_S", 2.0)
        url = f"nats://127.0.0.1:{to_bus.port}"
        behind = replace(cluster, url=f"https://127.0.0.1:{to_api.port}")
        cut_off = replace(settings, bus=replace(settings.bus, url=url))
        async with controller(behind, cut_off):
            before = await cluster.create_run("before")
            job = await in_spite_of_silence(lambda: cluster.job("before"))
            proxy = to_bus if pair == "bus" else to_api
            cut(proxy)
            await say(bus, before, Result(text="said meanwhile"))
            await cluster.create_run("meanwhile")
            await asyncio.sleep(CUT_FOR_S)
            proxy.mend()
            ended = await in_spite_of_silence(lambda: cluster.ended("before"))
            assert ended["result"] == "said meanwhile"
            meanwhile = await cluster.kube.get(JOBS, NAMESPACE, "before")
            assert meanwhile["metadata"]["uid"] == job["metadata"]["uid"]
            await in_spite_of_silence(lambda: cluster.job("meanwhile"))
