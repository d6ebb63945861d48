"""A copy of the objects, when the watch breaks or the server has forgotten what it told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sympozium.contract.resources import CONFIG_MAPS, Object
from sympozium.kube import client
from sympozium.kube.client import Kube, connect
from sympozium.kube.endpoint import Endpoint
from sympozium.kube.informer import Informer
from sympozium.kube.objects import HeldObjects
from sympozium.kube.source import Scope, Source
from sympozium_local.apiserver.server import serve
from tests.fixtures.nats_server import free_port
from tests.fixtures.tcp_proxy import TcpProxy, tcp_proxy

NAMESPACE = "default"


def config_map(name: str, **data: str) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


class World:
    """An API server, its administrator, and the way by which an informer reaches it."""

    def __init__(self, directory: Path, proxy: TcpProxy) -> None:
        self._directory = directory
        self._proxy = proxy
        self._port = proxy.target_port
        self._running = AsyncExitStack()
        self.endpoint = Endpoint("")

    async def start(self) -> None:
        served = await self._running.enter_async_context(serve(self._directory, port=self._port))
        self.endpoint = Endpoint(served.url, served.ca_file, served.token_file)

    async def stop(self) -> None:
        await self._running.aclose()

    @property
    def behind(self) -> Endpoint:
        """The server as the informer reaches it."""
        host = urlsplit(self.endpoint.url).hostname
        return replace(self.endpoint, url=f"https://{host}:{self._proxy.port}")


@asynccontextmanager
async def world(directory: Path) -> AsyncIterator[tuple[World, TcpProxy]]:
    """Yield a server that runs, and the proxy in front of it."""
    async with tcp_proxy(free_port()) as proxy:
        made = World(directory, proxy)
        await made.start()
        try:
            yield made, proxy
        finally:
            await made.stop()


@asynccontextmanager
async def following(made: World) -> AsyncIterator[Informer]:
    """Yield a complete copy that is kept up to date."""
    stop = asyncio.Event()
    async with connect(made.behind) as kube, asyncio.TaskGroup() as group:
        informer = Informer(kube, CONFIG_MAPS, NAMESPACE)
        group.create_task(informer.run(stop))
        await informer.synced.wait()
        yield informer
        stop.set()


async def change_much(kube: Kube) -> None:
    """Create, change and delete objects."""
    await kube.create(CONFIG_MAPS, config_map("new"))
    await kube.patch(CONFIG_MAPS, NAMESPACE, "changed", {"data": {"a": "2"}})
    await kube.delete(CONFIG_MAPS, NAMESPACE, "deleted")


async def until_it_is_like(informer: Informer, kube: Kube) -> None:
    """Return when the copy holds what the server holds, in the same versions."""
    while True:
        there = {
            (one["metadata"]["name"], one["metadata"]["resourceVersion"])
            for one in (await kube.list(CONFIG_MAPS, NAMESPACE)).items
        }
        here = {
            (one["metadata"]["name"], one["metadata"]["resourceVersion"]) for one in informer.all()
        }
        if here == there:
            return
        await asyncio.sleep(0.02)


async def test_what_changed_while_a_watch_was_broken_is_seen_when_it_is_back(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as (made, proxy), connect(made.endpoint) as kube:
        for name in ("changed", "deleted", "same"):
            await kube.create(CONFIG_MAPS, config_map(name, a="1"))
        async with following(made) as informer:
            await proxy.stop()
            await change_much(kube)
            await proxy.start()
            await until_it_is_like(informer, kube)


async def test_a_server_that_has_forgotten_its_history_is_listed_anew(tmp_path: Path) -> None:
    async with world(tmp_path) as (made, proxy):
        async with connect(made.endpoint) as kube:
            for name in ("changed", "deleted", "same"):
                await kube.create(CONFIG_MAPS, config_map(name, a="1"))
        async with following(made) as informer:
            await proxy.stop()
            async with connect(made.endpoint) as kube:
                await change_much(kube)
            await made.stop()
            await made.start()  # a version from before is 410 Gone from now on
            await proxy.start()
            async with connect(made.endpoint) as kube:
                await until_it_is_like(informer, kube)


async def test_what_was_written_while_a_list_was_on_its_way_is_not_taken_for_gone(
    api: Kube,
) -> None:
    changed = await api.create(CONFIG_MAPS, config_map("changed", a="1"))
    held = HeldObjects()
    source = Source(api, Scope(CONFIG_MAPS, NAMESPACE, {}), held)
    listed = await source.list()
    new = await api.create(CONFIG_MAPS, config_map("new"))
    changed = await api.patch(CONFIG_MAPS, NAMESPACE, "changed", {"data": {"a": "2"}})
    for one in (new, changed):
        source.remember(one)
    told: list[Object | None] = []
    held.listen(lambda _key, _old, obj: told.append(obj))
    told.clear()
    source.reveal(listed)
    assert {name: held.get(NAMESPACE, name) for name in ("new", "changed")} == {
        "new": new,
        "changed": changed,
    }
    assert None not in told
    await api.delete(CONFIG_MAPS, NAMESPACE, "new")
    source.reveal(await source.list())
    assert held.get(NAMESPACE, "new") is None


async def test_a_watch_whose_connection_leads_nowhere_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "WATCH_SILENCE_S", 0.3)
    async with world(tmp_path) as (made, proxy), connect(made.endpoint) as kube:
        for name in ("changed", "deleted", "same"):
            await kube.create(CONFIG_MAPS, config_map(name, a="1"))
        async with following(made) as informer:
            proxy.strand()
            await change_much(kube)
            await until_it_is_like(informer, kube)
