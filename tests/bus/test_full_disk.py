"""A volume of one megabyte, filled to its end: what was accepted stays, and no more is accepted."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sympozium.bus.admin import ensure_bus
from sympozium.bus.nats import NatsBus, connect
from sympozium.bus.ports import BusFullError, BusUnavailableError
from tests.bus.test_cluster import SUBJECT
from tests.bus.test_power_loss import everything_in
from tests.fixtures.nats_server import NatsServer
from tests.fixtures.small_disk import SmallDisk, small_disk

pytestmark = pytest.mark.timeout(60)
BODY = b"x" * 20_000


@asynccontextmanager
async def server_on(disk: SmallDisk, directory: Path) -> AsyncIterator[NatsServer]:
    """Yield a server that has promised its streams more room than its disk has."""
    server = NatsServer(directory, runner=disk.runner)
    store = json.dumps(str(disk.path))
    server.config = f"""\
listen: 127.0.0.1:{server.port}
jetstream {{ store_dir: {store}, sync_interval: always, max_file_store: 10G }}
"""
    try:
        await server.start()
        yield server
    finally:
        server.kill()


async def fill(bus: NatsBus, subject: str = SUBJECT) -> list[bytes]:
    """Publish until the bus refuses; return what it has confirmed."""
    confirmed: list[bytes] = []
    while True:
        data = BODY + str(len(confirmed)).encode()
        try:
            await bus.publish(subject, data, message_id=str(len(confirmed)))
        except (BusFullError, BusUnavailableError):
            return confirmed
        confirmed.append(data)


async def test_a_full_disk_keeps_what_was_accepted_and_refuses_what_is_new(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "nats"
    directory.mkdir()
    with small_disk(tmp_path / "disk", "1m") as disk:
        async with server_on(disk, directory) as server:
            address = server.address()
            async with connect(address) as bus:
                await ensure_bus(bus.client)
                confirmed = await fill(bus)
            server.kill()
            disk.resize("16m")
            await server.start()
            async with connect(address) as bus:
                await bus.publish(SUBJECT, b"room again", message_id="later")
                found = await everything_in(bus)
    assert len(confirmed) > 10
    assert found[: len(confirmed)] == confirmed
    assert found[-1] == b"room again"
