"""A server of the bus whose disk was full is started anew, since it stores nothing before that."""

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from sympozium.bus.admin import ensure_bus
from sympozium.bus.nats import Address, connect
from sympozium.bus.server import PodServer, ServerAccess, server_config
from sympozium.contract.subjects import OUTBOX, dead, reply_prefix
from sympozium_controller.setup.bus import make_keys
from tests.bus.test_full_disk import fill
from tests.chart.helm import objects, pod_specs
from tests.fixtures.nats_server import NatsServer, free_port
from tests.fixtures.small_disk import SmallDisk, can_mount, small_disk

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not can_mount(), reason="this machine allows no user namespaces"),
]
SUBJECT = dead(OUTBOX, "default", "web")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of two megabytes."""
    with small_disk(tmp_path / "disk", "2m") as made:
        yield made


async def is_alive(probe: dict[str, object], port: int) -> bool:
    """Ask a server as the kubelet does."""
    url = f"http://127.0.0.1:{port}{probe['path']}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status < 400


async def test_a_server_that_stores_nothing_though_there_is_room_is_not_alive(
    helm: str, tmp_path: Path, disk: SmallDisk
) -> None:
    (container,) = pod_specs(objects(helm))["StatefulSet sympozium-nats"]["containers"]
    probe = container["livenessProbe"]["httpGet"]
    keys, monitor = make_keys({}), free_port()
    access = ServerAccess(keys["issuer-public"], keys["user"], keys["password"])
    (tmp_path / "nats").mkdir()
    server = NatsServer(tmp_path / "nats", runner=disk.runner)
    pod = PodServer("n0", max_store_bytes=10 << 30, monitor_port=monitor)
    server.config = server_config(access, port=server.port, data_dir=disk.path, pod=pod)
    address = Address(
        server.url,
        "controller",
        reply_prefix("controller"),
        user=keys["user"],
        password=keys["password"],
    )
    try:
        await server.start()
        async with connect(address) as bus:
            await ensure_bus(bus.client)
            assert await is_alive(probe, monitor)
            await fill(bus, SUBJECT)
            disk.resize("64m")
            assert not await is_alive(probe, monitor)
        server.kill()
        await server.start()
        async with connect(address) as bus:
            await bus.publish(SUBJECT, b"room again", message_id="later")
            assert await is_alive(probe, monitor)
    finally:
        server.kill()


@pytest.mark.parametrize(("servers", "patience_s"), [(1, 60), (3, 300)])
def test_one_that_falls_behind_others_has_time(helm: str, servers: int, patience_s: int) -> None:
    specs = pod_specs(objects(helm, "--set", f"nats.replicas={servers}"))
    (container,) = specs["StatefulSet sympozium-nats"]["containers"]
    probe = container["livenessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == patience_s
