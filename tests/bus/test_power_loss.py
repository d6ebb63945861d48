"""What is on the disks when the power fails, and what is missing there."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sympozium.bus.nats import NatsBus, connect
from sympozium.bus.server import ServerAccess, new_issuer, server_config
from sympozium.contract.subjects import INBOX
from tests.bus.test_cluster import (
    SUBJECT,
    bus_on_three,
    is_whole,
    publish,
    take_all,
    until_it_works,
)
from tests.fixtures.nats_cluster import leader_of
from tests.fixtures.nats_server import NatsServer, free_port

pytestmark = pytest.mark.timeout(120)


async def test_a_server_that_lost_its_newest_writes_in_a_power_failure_gets_them_back(
    tmp_path: Path,
) -> None:
    async with bus_on_three(tmp_path) as (cluster, bus):
        await publish(bus, range(20))
        victim = cluster.named(await leader_of(bus.client, INBOX))
        kept = cluster.keep_store(victim)
        await publish(bus, range(20, 40))
        victim.kill()
        cluster.set_back(victim, kept)
        await victim.start()
        await until_it_works(lambda: is_whole(bus))
        others = [server for server in cluster.servers if server is not victim]
        others[0].kill()  # two are left, and one of them had lost half
        assert set(await take_all(bus, 40)) == set(range(40))


async def test_one_server_has_all_that_it_confirmed_on_its_disk_whenever_it_dies(
    tmp_path: Path, nats_server: NatsServer, bus: NatsBus
) -> None:
    confirmed: list[bytes] = []
    is_half_way = asyncio.Event()

    async def write_on() -> None:
        for number in range(10_000):
            name = str(number)
            await bus.publish(SUBJECT, name.encode(), message_id=name)
            confirmed.append(name.encode())
            if number == 100:
                is_half_way.set()

    async with asyncio.TaskGroup() as group:
        writers = group.create_task(write_on())
        await is_half_way.wait()
        nats_server.pause()
        expected = list(confirmed)
        shutil.copytree(nats_server.directory, tmp_path / "disk")
        writers.cancel()
    async with server_over(tmp_path / "disk") as found:
        assert (await everything_in(found))[: len(expected)] == expected


async def everything_in(bus: NatsBus) -> list[bytes]:
    """Return what INBOX holds."""
    found: list[bytes] = []
    since = 1
    while stored := await bus.next(INBOX, SUBJECT, since=since):
        found.append(stored.data)
        since = stored.sequence + 1
    return found


@asynccontextmanager
async def server_over(disk: Path) -> AsyncIterator[NatsBus]:
    """Yield a connection to a server that finds *disk* as its own."""
    server = NatsServer(disk)
    try:
        await server.start()
        async with connect(server.address()) as bus:
            yield bus
    finally:
        server.kill()


async def test_our_servers_sync_every_message_before_they_confirm_it(tmp_path: Path) -> None:
    access = ServerAccess(new_issuer().public_key, "controller", "a-password")
    server, monitor = NatsServer(tmp_path), free_port()
    config = server_config(access, port=server.port, data_dir=tmp_path)
    server.config = f'{config}http: "127.0.0.1:{monitor}"\n'
    try:
        await server.start()
        said = await state_of(monitor)
    finally:
        server.kill()
    assert said["jetstream"]["config"]["sync_always"] is True


async def state_of(monitor: int) -> dict[str, Any]:
    """Return what a server says of itself."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{monitor}/varz") as answer,
    ):
        state: dict[str, Any] = await answer.json()
        return state
