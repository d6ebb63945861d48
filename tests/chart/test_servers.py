"""A bus keeps the number of servers that it was installed with, whoever changes the manifests."""

from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from sympozium.bus.admin import ensure_bus
from sympozium.bus.nats import Address, connect
from sympozium.bus.server import PodServer
from sympozium.contract.errors import PermanentError
from sympozium.contract.subjects import reply_prefix
from sympozium_controller.setup.bus import DATA, make_keys
from sympozium_controller.setup.servers import check_number, check_volume
from tests.chart.helm import objects, pod_specs
from tests.fixtures.nats_cluster import nats_cluster
from tests.fixtures.nats_server import NatsServer

pytestmark = pytest.mark.timeout(120)


def pod(count: int) -> PodServer:
    """Return one of *count* servers."""
    routes = tuple(f"host-{number}:6222" for number in range(count)) if count > 1 else ()
    return PodServer("host-0", 1 << 30, routes=routes)


def refused(words: str) -> AbstractContextManager[object]:
    """Return what expects that a server does not start, for a reason with *words*."""
    return pytest.raises(PermanentError, match=words)


@pytest.mark.parametrize(("installed", "wanted"), [(1, 3), (3, 1)])
def test_another_number_than_was_installed_does_not_start(installed: int, wanted: int) -> None:
    keys = make_keys({}, pod(installed))
    check_number(keys, pod(installed).count)
    with refused(f"set nats.replicas={installed}"):
        check_number(make_keys(keys, pod(wanted)), pod(wanted).count)


def test_the_keys_alone_decide_no_number() -> None:
    check_number(make_keys(make_keys({}), pod(3)), 3)


async def test_the_volume_of_a_lone_server_is_not_one_of_several(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    check = partial(check_volume, tmp_path)
    for count in (1, 3):
        check(count)  # there is nothing yet
    await server.start()
    async with connect(Address(server.url, "test", reply_prefix("test"))) as bus:
        await ensure_bus(bus.client)
    server.kill()
    check(1)
    with refused("one server alone kept"):
        check(3)


async def test_the_volume_of_one_of_several_is_not_a_lone_servers(tmp_path: Path) -> None:
    async with nats_cluster(tmp_path) as cluster:
        async with connect(Address(cluster.urls, "test", reply_prefix("test"))) as bus:
            await ensure_bus(bus.client, replicas=len(cluster.servers))
        for server in cluster.servers:
            check_volume(server.directory, 3)
            with refused("several servers kept"):
                check_volume(server.directory, 1)


def test_the_step_of_the_chart_sees_the_volume(helm: str) -> None:
    (step,) = pod_specs(objects(helm))["StatefulSet sympozium-nats"]["initContainers"]
    mounted = {mount["mountPath"]: mount for mount in step["volumeMounts"]}
    assert mounted[str(DATA)]["name"] == "data"
    assert mounted[str(DATA)]["readOnly"]
