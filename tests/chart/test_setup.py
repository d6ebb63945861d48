"""The steps of an installation that a chart cannot do itself, with the rights it gives them."""

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest

from sympozium.bus.admin import PATIENCE_S, ensure_bus
from sympozium.bus.nats import Address, NatsBus, connect
from sympozium.bus.server import PodServer, ServerAccess, server_config
from sympozium.contract.errors import PermanentError
from sympozium.contract.resources import (
    AGENT_RUNS,
    AGENTS,
    CHANNELS,
    CONFIG_MAPS,
    LEASES,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    Object,
)
from sympozium.contract.subjects import reply_prefix
from sympozium.kube.client import Kube
from sympozium.kube.client import connect as connect_kube
from sympozium.kube.errors import NotFoundError
from sympozium_controller.settings import Settings
from sympozium_controller.setup import bus as bus_step
from sympozium_controller.setup import store as store_step
from sympozium_controller.setup.example import apply_example, make_token
from sympozium_controller.setup.removal import Removal
from sympozium_controller.setup.secrets_made import fill
from sympozium_controller.tenants import clearing
from sympozium_controller.tenants.ledger import LEDGER
from tests.chart.helm import objects, pod_specs
from tests.controller.cluster import SYSTEM_NAMESPACE, Cluster, controller
from tests.fixtures.nats_server import NatsServer, free_port
from tests.fixtures.tenants import make_tenant
from tests.tenants.namespaces import agent, channel, ours_in, until

TEAM = "team"
SIZE = 3


@dataclass(frozen=True)
class Three:
    """Three servers of one bus as pods have them, none of which is started."""

    servers: list[NatsServer]
    monitors: list[str]
    address: Address


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Three]:
    """Servers that are configured as the chart's are."""
    keys, routes = bus_step.make_keys({}), [free_port() for _ in range(SIZE)]
    access = ServerAccess(keys["issuer-public"], keys["user"], keys["password"])
    servers, monitors = [], []
    for number, route in enumerate(routes):
        directory = tmp_path / f"n{number}"
        directory.mkdir()
        server = NatsServer(directory)
        pod = PodServer(
            name=f"n{number}",
            max_store_bytes=4 << 30,
            monitor_port=free_port(),
            routes=tuple(f"127.0.0.1:{port}" for port in routes),
            routes_port=route,
            routes_password=keys["routes-password"],
        )
        server.config = server_config(access, port=server.port, data_dir=directory, pod=pod)
        servers.append(server)
        monitors.append(f"http://127.0.0.1:{pod.monitor_port}")
    address = Address(
        ",".join(server.url for server in servers),
        "controller",
        reply_prefix("controller"),
        user=keys["user"],
        password=keys["password"],
    )
    yield Three(servers, monitors, address)
    for server in servers:
        server.kill()


async def is_well(url: str) -> bool:
    """Return whether a server answers a probe as the kubelet wants it."""
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get(url) as answer:
                return answer.status == HTTPStatus.OK
        except aiohttp.ClientError:
            return False


async def until_well(url: str) -> None:
    """Return once a server answers a probe as the kubelet wants it."""
    async with asyncio.timeout(PATIENCE_S):
        while not await is_well(url):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.1)


async def empty_secret(kube: Kube, name: str) -> None:
    """Create a Secret as the chart has it."""
    await kube.create(
        SECRETS,
        {
            "apiVersion": SECRETS.api_version,
            "kind": SECRETS.kind,
            "metadata": {"name": name, "namespace": SYSTEM_NAMESPACE},
        },
    )


async def data_of(kube: Kube, name: str) -> dict[str, str]:
    """Return what a Secret holds."""
    held = await kube.get(SECRETS, SYSTEM_NAMESPACE, name)
    return {key: base64.b64decode(text).decode() for key, text in held["data"].items()}


async def test_all_that_fill_one_secret_at_once_agree(cluster: Cluster) -> None:
    await empty_secret(cluster.kube, bus_step.SECRET)
    endpoints = [
        cluster.endpoint_of(await cluster.token("sympozium-nats", namespace=SYSTEM_NAMESPACE))
        for _ in range(SIZE)
    ]
    found: list[dict[str, str]] = []

    async def server(number: int) -> None:
        async with connect_kube(endpoints[number]) as kube:
            found.append(
                dict(await fill(kube, SYSTEM_NAMESPACE, bus_step.SECRET, bus_step.make_keys))
            )

    async with asyncio.TaskGroup() as group:
        for number in range(SIZE):
            group.create_task(server(number))
    held = await data_of(cluster.kube, bus_step.SECRET)
    assert found == [held] * SIZE
    assert held.keys() == {"user", "password", "routes-password", "issuer-seed", "issuer-public"}


async def test_what_a_secret_holds_stays(cluster: Cluster) -> None:
    await empty_secret(cluster.kube, store_step.SECRET)

    def keys(known: object) -> dict[str, str]:
        return {"password": "chosen", "note": "mine"}

    await fill(cluster.kube, SYSTEM_NAMESPACE, store_step.SECRET, keys)
    await fill(
        cluster.kube,
        SYSTEM_NAMESPACE,
        store_step.SECRET,
        lambda known: store_step.make_keys(known, "db:5432"),
    )
    held = await data_of(cluster.kube, store_step.SECRET)
    assert held["note"] == "mine"
    assert held["url"] == "postgresql+asyncpg://sympozium:chosen@db:5432/sympozium"


async def test_a_secret_that_is_not_there_is_named(cluster: Cluster) -> None:
    with pytest.raises(PermanentError, match="sympozium-system/sympozium-bus"):
        await fill(cluster.kube, SYSTEM_NAMESPACE, bus_step.SECRET, bus_step.make_keys)


async def test_a_servers_account_reads_no_other_secret(cluster: Cluster) -> None:
    await empty_secret(cluster.kube, store_step.SECRET)
    token = await cluster.token("sympozium-nats", namespace=SYSTEM_NAMESPACE)
    async with connect_kube(cluster.endpoint_of(token)) as kube:
        with pytest.raises(PermanentError, match="forbidden"):
            await fill(kube, SYSTEM_NAMESPACE, store_step.SECRET, make_token)


def test_keys_of_the_bus_are_made_once_and_belong_together() -> None:
    first = bus_step.make_keys({})
    assert bus_step.make_keys(first) == first
    assert (
        bus_step.make_keys({"issuer-seed": first["issuer-seed"]})["issuer-public"]
        == (first["issuer-public"])
    )


@pytest.mark.timeout(2 * PATIENCE_S)
async def test_three_servers_with_our_configuration_are_one_bus(three: Three) -> None:
    for server in three.servers:
        await server.start()
    async with connect(three.address) as connected:
        await ensure_bus(connected.client, replicas=SIZE)
        info = await connected.client.jetstream().stream_info("INBOX")
    assert info.cluster is not None
    assert info.cluster.replicas is not None
    assert len(info.cluster.replicas) == SIZE - 1


@pytest.mark.timeout(4 * PATIENCE_S)
async def test_a_server_has_started_when_its_copies_are_there_and_is_found_before(
    helm: str, three: Three
) -> None:
    (container,) = pod_specs(objects(helm, "--set", "nats.replicas=3"))[
        "StatefulSet sympozium-nats"
    ]["containers"]
    started, lives, ready = (
        container[f"{name}Probe"]["httpGet"]["path"]
        for name in ("startup", "liveness", "readiness")
    )
    first, *others = three.monitors
    await three.servers[0].start()
    await until_well(first + ready)  # whoever connects finds it
    assert not await is_well(first + started)  # nobody is there of whom it could have copies
    for server in three.servers[1:]:
        await server.start()
    async with connect(three.address) as connected:
        await ensure_bus(connected.client, replicas=SIZE)
    for monitor in (first, *others):
        for path in (started, lives, ready):
            await until_well(monitor + path)


def example(model: str) -> list[Object]:
    """Return the objects of an example."""
    made = {**agent(TEAM), "spec": {"agents": {"default": {"model": model}}}}
    return [made, channel(TEAM)]


async def test_an_example_is_changed_by_its_values_but_not_where_a_person_did(
    cluster: Cluster,
) -> None:
    await make_tenant(cluster.kube, TEAM)
    name = agent(TEAM)["metadata"]["name"]
    await apply_example(cluster.kube, example("first"))
    await apply_example(cluster.kube, example("second"))
    held = await cluster.kube.get(AGENTS, TEAM, name)
    assert held["spec"]["agents"]["default"]["model"] == "second"
    patch = {"spec": {"agents": {"default": {"model": "mine"}}}}
    await cluster.kube.patch(AGENTS, TEAM, name, patch)
    await apply_example(cluster.kube, example("third"))
    held = await cluster.kube.get(AGENTS, TEAM, name)
    assert held["spec"]["agents"]["default"]["model"] == "mine"


@pytest.mark.timeout(60)
async def test_a_release_that_goes_leaves_nothing_of_what_grew_from_it(
    helm: str,
    cluster: Cluster,
    bus: NatsBus,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clearing, "SETTLE_S", 0.0)
    monkeypatch.setattr(clearing, "TELL_S", 0.5)
    kube = cluster.kube
    async with controller(cluster, settings):
        await make_tenant(kube, TEAM)
        await apply_example(kube, example("demo"))
        await kube.create(
            AGENT_RUNS,
            {
                "apiVersion": AGENT_RUNS.api_version,
                "kind": AGENT_RUNS.kind,
                "metadata": {"name": "r1", "namespace": TEAM},
                "spec": {"agentRef": agent(TEAM)["metadata"]["name"], "task": "hello"},
            },
        )

        async def is_at_work() -> bool:
            return {"Job/r1", "Deployment/channel-web"} <= await ours_in(kube, TEAM)

        await until(is_at_work)
    name = agent(TEAM)["metadata"]["name"]
    values = f"example.namespace={TEAM},example.name={name}"
    for obj in objects(helm, "--set", values):
        if obj["metadata"]["name"] == "sympozium-removal" and obj["kind"] != "Job":
            kind = ROLES if obj["kind"] == "Role" else ROLE_BINDINGS
            await kube.create(kind, obj)
    token = await cluster.token("sympozium-controller", namespace=SYSTEM_NAMESPACE)
    async with connect_kube(cluster.endpoint_of(token)) as controllers:
        await Removal(SYSTEM_NAMESPACE, example("demo")).patiently(controllers, bus)
    left = {one for one in await ours_in(kube, TEAM) if "sympozium-removal" not in one}
    assert left == set()
    for resource, gone in ((CONFIG_MAPS, LEDGER), (LEASES, "sympozium-controller")):
        with pytest.raises(NotFoundError):
            await kube.get(resource, SYSTEM_NAMESPACE, gone)
    assert [(await kube.list(kind, TEAM)).items for kind in (AGENTS, CHANNELS)] == [[], []]
    ended = await kube.get(AGENT_RUNS, TEAM, "r1")
    assert ended["status"]["error"]["reason"] == "NamespaceClosed"
