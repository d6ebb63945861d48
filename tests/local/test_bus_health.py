"""A bus whose disk was full stores again by itself once there is room."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sympozium.bus.admin import ensure_bus
from sympozium.bus.nats import Address, connect
from sympozium.bus.ports import BusUnavailableError
from sympozium.bus.server import ServerAccess, issuer_public_key, new_issuer, server_config
from sympozium.contract.subjects import OUTBOX, dead, reply_prefix
from sympozium_local.system import runner
from sympozium_local.system.bus_access import CONTROLLER_USER
from sympozium_local.system.bus_health import ENOUGH_ROOM_BYTES, stores_or_cannot
from sympozium_local.system.home import Home
from sympozium_local.system.runner import Program, Runner
from tests.bus.test_full_disk import fill
from tests.fixtures.nats_server import NatsServer, nats_server_binary
from tests.fixtures.small_disk import SmallDisk, can_mount, small_disk

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not can_mount(), reason="this machine allows no user namespaces"),
]
PASSWORD = "p"
SUBJECT = dead(OUTBOX, "default", "web")
ROOM = f"{2 * ENOUGH_ROOM_BYTES >> 20}m"


class Bus:
    """A server with the configuration of the system, on a disk of two megabytes."""

    def __init__(self, folder: Path, disk: SmallDisk) -> None:
        folder.mkdir()
        access = ServerAccess(issuer_public_key(new_issuer().seed), CONTROLLER_USER, PASSWORD)
        self.disk = disk
        self.server = NatsServer(folder, runner=disk.runner)
        config = server_config(access, port=self.server.port, data_dir=disk.path)
        self.server.config = config.replace("sync_interval: always", "max_file_store: 10G")
        self.address = Address(
            self.server.url,
            "controller",
            reply_prefix("controller"),
            user=CONTROLLER_USER,
            password=PASSWORD,
        )

    async def is_well(self) -> bool:
        """Ask as the supervisor does."""
        port, data = self.server.port, self.disk.outside
        return await stores_or_cannot(port, PASSWORD, data)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Bus]:
    """A bus that is not started yet, on a disk that is soon full."""
    with small_disk(tmp_path / "disk", "2m") as disk:
        bus = Bus(tmp_path / "nats", disk)
        yield bus
        bus.server.kill()


async def test_it_is_unwell_once_there_is_room_again_and_not_before(full: Bus) -> None:
    await full.server.start()
    async with connect(full.address) as bus:
        await ensure_bus(bus.client)
        assert await full.is_well()
        await fill(bus, SUBJECT)
        assert await full.is_well()  # a new start would find the disk full
        full.disk.resize(ROOM)
        assert not await full.is_well()
        with pytest.raises(BusUnavailableError):
            await bus.publish(SUBJECT, b"it does not go on by itself", message_id="later")


async def test_one_that_does_not_answer_is_left_alone(full: Bus) -> None:
    assert await full.is_well()
    await full.server.start()
    full.server.pause()
    assert await full.is_well()
    full.server.resume()


async def test_it_is_started_anew_and_stores(
    full: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "WELL_EVERY_S", 0.1)
    config = tmp_path / "nats" / "nats.conf"
    config.write_text(full.server.config)

    async def accepts() -> bool:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", full.server.port)
            writer.close()
            return True
        return False

    command = (*full.disk.runner, nats_server_binary(), "-c", str(config))
    program = Program("nats-server", command, accepts, {}, is_well=full.is_well)
    home = Home(tmp_path / "home")
    home.prepare()
    kept = Runner(program, home, sink=None, changed=lambda: None)
    async with asyncio.TaskGroup() as group:
        group.create_task(kept.run())
        await kept.ready()
        async with connect(full.address) as bus:
            await ensure_bus(bus.client)
            await fill(bus, SUBJECT)
            full.disk.resize(ROOM)
            while True:
                with contextlib.suppress(BusUnavailableError):
                    await bus.publish(SUBJECT, b"room again", message_id="later")
                    break
        assert kept.restarts == 1
        kept.stop()
