"""A running system whose every connection leads through a proxy, to do it harm.

Router, controller, web channel, the bots and the pods of runs each have their own way to
the bus, to the API server, to the platform and to the model; so have people to the web
channel, the node to the API server, and that to the webhook. Their sync points are armed,
and the markers of all are there, so that nobody dies or stops before one is taken away.
There are two routers and two controllers: one takes over while the other is stopped.
"""

import asyncio
import json
from asyncio import Lock
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from sympozium.contract.resources import (
    ADMISSION_POLICY_BINDINGS,
    AGENTS,
    DEPLOYMENTS,
    Object,
)
from sympozium.kube.client import Kube
from sympozium.runtime.reach import CRASH_AT, CRASH_MARKER, PAUSE_AT, PAUSE_MARKER
from sympozium.runtime.sync_points import Point
from sympozium.testing.channels.driver import Driver
from sympozium.testing.postgresql import PostgresqlServer
from sympozium_local.system.home import Home, read_json, write_private
from tests.fault.api_proxy import ApiProxy, api_proxy
from tests.fault.arming import (
    ARMED,
    CONTROLLER,
    DIED,
    FOLDER,
    PAUSED,
    ROUTER,
    WEB,
    mount,
    roll_out,
    set_env,
)
from tests.fault.bots import PLATFORMS, added, platforms, url_of
from tests.fault.clocks import STEP_FILE, build_clock, with_clock
from tests.fault.detours import detour, lead_webhook, node_led, restart_node, to_a_controller
from tests.fault.pids import Pids
from tests.fault.postgresql import STORE_URL, kept_running
from tests.fault.run_points import make_markers
from tests.fault.run_points import points as points_of_runs
from tests.fixtures.embedded_system import EmbeddedSystem
from tests.fixtures.small_disk import SmallDisk
from tests.fixtures.system import administrator
from tests.fixtures.tcp_proxy import TcpProxy, tcp_proxy

BUS_PAIRS = tuple(f"{one}-bus" for one in ("router", "controller", "web", *PLATFORMS, "runs"))
PLATFORM_PAIRS = tuple(f"{one}-platform" for one in PLATFORMS)
API_USERS = ("router", "controller", "node")
API_PAIRS = tuple(f"{one}-api" for one in API_USERS)
STORE_PAIR = "router-store"
PAIRS = (
    *(*BUS_PAIRS, *API_PAIRS, *PLATFORM_PAIRS),
    *("people-web", "api-webhook", "runs-model", STORE_PAIR),
)

LIVE = ("router", "controller", "web", "channel")
"""Whose sync points can be armed at any moment. Every bot is a `channel`; they share markers."""

NODE_CLOCK = "node"
"""That of the API server, too: what stamps objects, and ends what takes too long."""

REPLICAS = {"router": 2, "controller": 2}
FORBIDS_MARKERS = "sympozium-pods"


@dataclass
class Plant:
    """What faults are injected into.

    Attributes:
        drivers: The chat platforms, by name.
        pairs: The proxy between each two that talk.
        clocks: The folders of the clocks that can be stepped: of each of `LIVE`, and of the node.
        apis: What stands between a program and the API server, by program.
        pids: Where the processes are, and the Deployments by program.
        disk: That of the bus; None: it shares that of everybody.
        hit: At which points somebody was stopped, and at which of a run somebody has died.
        store: That of the router; None: it keeps all in a file.
    """

    home: Home
    kube: Kube
    drivers: Mapping[str, Driver]
    pids: Pids
    pairs: dict[str, TcpProxy] = field(default_factory=dict)
    apis: dict[str, ApiProxy] = field(default_factory=dict)
    clocks: dict[str, Path] = field(default_factory=dict)
    locks: defaultdict[str, Lock] = field(default_factory=lambda: defaultdict(Lock))
    hit: list[Point] = field(default_factory=list)
    disk: SmallDisk | None = None
    store: PostgresqlServer | None = None

    @asynccontextmanager
    async def pair(self, name: str) -> AsyncIterator[TcpProxy]:
        """Yield the proxy of a pair to one fault at a time."""
        async with self.locks[name]:
            yield self.pairs[name]

    def markers(self, live: str) -> Path:
        """Return the folder that pods of one of `LIVE` see whenever they start."""
        return self.home.router / "sync-points" / live

    def marker(self, point: Point, kind: str = DIED) -> Path:
        """Return the file whose absence has a program die, or stop, at *point*."""
        return self.markers(point.program) / ARMED / f"{kind}.{point.value}"


@asynccontextmanager
async def planted(
    system: EmbeddedSystem, model_port: int, *, seed: str, postgresql: Path | None = None
) -> AsyncIterator[Plant]:
    """Lead every connection of a running system through a proxy; add a bot at each platform.

    The router keeps its sessions at a server, where the programs of *postgresql* are given.
    """
    home = Home(system.home)
    async with AsyncExitStack() as stack:
        kube = await stack.enter_async_context(administrator(system))
        drivers = await stack.enter_async_context(platforms(*PLATFORMS))
        places = {"router": ROUTER, "controller": CONTROLLER, "web": WEB}
        store = await stack.enter_async_context(kept_running(postgresql)) if postgresql else None
        plant = Plant(home, kube, drivers, Pids(home, kube, places, store), store=store)
        await _stand_between(plant, stack, seed)
        targets = {"runs-model": model_port, "people-web": system.port}
        for name, port in targets.items():
            plant.pairs[name] = await stack.enter_async_context(tcp_proxy(port))
        _make_markers(plant)
        await _let_in(plant)
        await stack.enter_async_context(node_led(home, plant.pairs["node-api"].port))
        await restart_node(plant.pids)
        await lead_webhook(kube, plant.pairs["api-webhook"].port)
        urls = {
            name: f"http://127.0.0.1:{plant.pairs[f'{name}-platform'].port}" for name in PLATFORMS
        }
        places.update(await stack.enter_async_context(added(system, drivers, urls)))
        await _lead_through(plant)
        yield plant
        await _be_whole(plant)


async def _stand_between(plant: Plant, stack: AsyncExitStack, seed: str) -> None:
    """Start the proxies in front of bus, API server, webhook and platforms."""
    ports = read_json(plant.home.ports)
    for name in BUS_PAIRS:
        plant.pairs[name] = await stack.enter_async_context(tcp_proxy(ports["nats"]))
    for program in API_USERS:
        api = await stack.enter_async_context(api_proxy(plant.home, seed=f"{seed}/{program}"))
        plant.apis[program] = api
        plant.pairs[f"{program}-api"] = await stack.enter_async_context(tcp_proxy(api.port))
    if plant.store:
        plant.pairs[STORE_PAIR] = await stack.enter_async_context(tcp_proxy(plant.store.port))
    dial = to_a_controller(plant.kube, seed=f"{seed}/webhook")
    plant.pairs["api-webhook"] = await stack.enter_async_context(tcp_proxy(0, dial))
    for name, driver in plant.drivers.items():
        port = urlsplit(url_of(driver)).port
        assert port is not None
        plant.pairs[f"{name}-platform"] = await stack.enter_async_context(tcp_proxy(port))


def _make_markers(plant: Plant) -> None:
    for live in LIVE:
        folder = plant.clocks[live] = plant.markers(live)
        make_markers(folder / ARMED, points_of(live), (DIED, PAUSED))
        build_clock(folder, seen_at=Path(FOLDER))
    if (plant.home.path / STEP_FILE).exists():
        plant.clocks[NODE_CLOCK] = plant.home.path


async def _let_in(plant: Plant) -> None:
    """Have a node that starts let proxies and markers in, as no installation does.

    Channels mount the folder of their markers, and the webhook is not where its Service is.
    """
    addons = read_json(plant.home.addons)
    kept = [obj for obj in addons["apply"] if not _forbids_markers(obj)]
    write_private(plant.home.addons, json.dumps({**addons, "apply": detour(kept)}))
    await plant.kube.delete(ADMISSION_POLICY_BINDINGS, None, FORBIDS_MARKERS)


def _forbids_markers(obj: Object) -> bool:
    named = obj["kind"], obj["metadata"]["name"]
    return named == (ADMISSION_POLICY_BINDINGS.kind, FORBIDS_MARKERS)


async def _lead_through(plant: Plant) -> None:
    """Tell every program of its proxies; the controller first, who tells the pods of runs."""
    port = plant.pairs["runs-model"].port
    model = {"agents": {"default": {"baseURL": f"http://127.0.0.1:{port}/v1"}}}
    await plant.kube.patch(AGENTS, "default", "assistant", {"spec": model})
    reachable = [plant.pairs[name].port for name in ("runs-bus", "runs-model", "controller-api")]
    ports = [{"protocol": "TCP", "port": port} for port in reachable]
    rule = {"to": [{"ipBlock": {"cidr": "127.0.0.1/32"}}], "ports": ports}
    of_runs = {
        "SYMPOZIUM_POD_NATS_URL": _bus(plant, "runs"),
        "SYMPOZIUM_RUN_EGRESS": json.dumps([rule]),
    }
    for program, more in (("controller", of_runs), ("router", _store(plant))):
        variables = {**_variables(plant, program), **more, **_api(plant, program)}
        change = partial(_changed, plant, program, variables)
        _at_every_start(plant, program, change)
        place = plant.pids.places[program]
        await roll_out(plant.kube, place, change, replicas=REPLICAS[program])
    async with asyncio.TaskGroup() as group:
        for program in ("web", *PLATFORMS):
            group.create_task(_lead_channel(plant, program))


async def _lead_channel(plant: Plant, program: str) -> None:
    await _until_told_by_controller(plant, program)
    change = partial(_changed, plant, program, _variables(plant, program))
    await roll_out(plant.kube, plant.pids.places[program], change)


def points_of(live: str) -> list[Point]:
    """Return every point that one of `LIVE` comes to."""
    return [point for point in Point if point.program == live]


def _live(program: str) -> str:
    return "channel" if program in PLATFORMS else program


def _variables(plant: Plant, program: str) -> dict[str, str]:
    own = points_of(_live(program))
    handed_on = points_of_runs() if program == "controller" else []
    return {
        "SYMPOZIUM_NATS_URL": _bus(plant, program),
        CRASH_AT: ",".join(point.value for point in (*own, *handed_on)),
        CRASH_MARKER: f"{FOLDER}/{ARMED}/{DIED}",
        PAUSE_AT: ",".join(point.value for point in (*own, *handed_on)),
        PAUSE_MARKER: f"{FOLDER}/{ARMED}/{PAUSED}",
        **with_clock(Path(FOLDER)),
    }


def _bus(plant: Plant, program: str) -> str:
    return f"nats://127.0.0.1:{plant.pairs[f'{program}-bus'].port}"


def _store(plant: Plant) -> dict[str, str]:
    if plant.store is None:
        return {}
    return {STORE_URL: plant.store.url(port=plant.pairs[STORE_PAIR].port)}


def _api(plant: Plant, program: str) -> dict[str, str]:
    port = str(plant.pairs[f"{program}-api"].port)
    return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port}


def _changed(plant: Plant, program: str, variables: dict[str, str], pod: Object) -> None:
    set_env(pod, variables)
    folder = plant.markers(_live(program))
    mount(pod, {"hostPath": {"path": str(folder), "type": "Directory"}})


def _at_every_start(plant: Plant, program: str, change: partial[None]) -> None:
    """Have the node, when it starts again, make a Deployment so and not as it was."""
    addons = read_json(plant.home.addons)
    _, name = plant.pids.places[program]
    for obj in addons["apply"]:
        if (obj["kind"], obj["metadata"]["name"]) == (DEPLOYMENTS.kind, name):
            change(obj["spec"]["template"]["spec"])
            obj["spec"]["replicas"] = REPLICAS[program]
    write_private(plant.home.addons, json.dumps(addons))


async def _until_told_by_controller(plant: Plant, program: str) -> None:
    """Return when the controller has described a channel anew, or it would undo what we do."""

    def look(pod: Object) -> None:
        (container,) = pod["containers"]
        env = {one["name"]: one.get("value") for one in container["env"]}
        told.append(env["SYMPOZIUM_NATS_URL"] == _bus(plant, "runs"))

    told: list[bool] = []
    while not (told and told[-1]):
        await roll_out(plant.kube, plant.pids.places[program], look)


async def _be_whole(plant: Plant) -> None:
    for proxy in plant.pairs.values():
        proxy.delay_s = 0.0
        proxy.mend()
    for api in plant.apis.values():
        api.rule = None
