"""One tenant floods, another asks: `python -m tests.bench.fairness [--runs 10000]`.

The other tenant's time from message to reply is measured alone, and then while the
runs of the flood wait, on the whole system over the web chat. Beside it stands what the
same message would have waited for if everybody stood in one line.

Before that, and with `--messages 10000` alone (`--runs 0`): how long a message waits
until a router has recorded it, while a flood of another tenant's messages is not recorded,
over a bus, an API server, a store and a router. Beside it stands what it would have
waited for behind that flood in one line, by the pace at which that is recorded.
"""

import argparse
import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from sympozium.bus.admin import ensure_bus
from sympozium.bus.lines import ensure_line
from sympozium.bus.nats import connect
from sympozium.contract.agentrun import TERMINAL_PHASES
from sympozium.contract.names import MessageId
from sympozium.contract.resources import AGENT_RUNS, AGENTS, Object
from sympozium.contract.subjects import inbox_consumer
from sympozium.kube.client import Kube
from sympozium.store.ports import MessageKey
from tests.bench.cpu import cpu_by_program
from tests.bench.main_job import milliseconds, reply_time, running
from tests.fixtures.chat import Person
from tests.fixtures.nats_server import NatsServer
from tests.fixtures.system import ScriptedModel, administrator, scriptable_model
from tests.fixtures.tenants import make_tenant
from tests.router.routed import CHANNEL, NAMESPACE, World, a_world, until
from tests.router.test_tenants import OTHER, furnish_other, say

FLOOD = "flood"
CREATED_AT_ONCE = 8
PUBLISHED_AT_ONCE = 200
TALKS = 500
PACE_S = 30.0


@dataclass(frozen=True)
class Load:
    """How many runs the flood has, and how many messages the other tenant writes."""

    runs: int
    questions: int


async def make_flooded(kube: Kube) -> str:
    """Give the flood a namespace with a copy of the Agent; return the Agent's name."""
    await make_tenant(kube, FLOOD)
    agent = (await kube.list(AGENTS, "default")).items[0]
    name: str = agent["metadata"]["name"]
    spec = {key: value for key, value in agent["spec"].items() if key not in {"channels"}}
    spec["authRefs"] = []
    body = {"apiVersion": AGENTS.api_version, "kind": AGENTS.kind, "spec": spec}
    await kube.create(AGENTS, body | {"metadata": {"name": name, "namespace": FLOOD}})
    return name


async def flood(kube: Kube, agent: str, count: int) -> None:
    """Create as many runs."""
    slots = asyncio.Semaphore(CREATED_AT_ONCE)

    async def create(number: int) -> None:
        run: Object = {
            "apiVersion": AGENT_RUNS.api_version,
            "kind": AGENT_RUNS.kind,
            "metadata": {"name": f"flood-{number:05}", "namespace": FLOOD},
            "spec": {"agentRef": agent, "task": "hello", "timeout": "24h"},
        }
        async with slots:
            await kube.create(AGENT_RUNS, run)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(create(number))


async def finished(kube: Kube) -> int:
    """Return how many runs of the flood have ended."""
    ended, query = 0, {"limit": "500"}
    while True:
        page = await kube.list(AGENT_RUNS, FLOOD, **query)
        ended += sum(
            (run.get("status") or {}).get("phase") in TERMINAL_PHASES for run in page.items
        )
        if not page.next_page:
            return ended
        query["continue"] = page.next_page


async def ask(person: Person, name: str, count: int) -> list[float]:
    """Ask one question after the other, each in a conversation of its own."""
    return [await reply_time(person, f"{name}-{number}", "hello") for number in range(count)]


async def measure(model_url: str, model_port: int, load: Load) -> None:
    """Print both."""
    timeout = aiohttp.ClientTimeout(total=300)
    with running(model_url) as system:
        async with aiohttp.ClientSession(timeout=timeout) as session, administrator(system) as kube:
            await ScriptedModel(f"http://127.0.0.1:{model_port}", session).script()
            person = Person(session, system.url)
            await reply_time(person, "warm-up", "hello")
            print(f"alone: {milliseconds(await ask(person, 'alone', load.questions))}")
            agent = await make_flooded(kube)
            began = time.perf_counter()
            await flood(kube, agent, load.runs)
            print(f"flood: {load.runs} runs created in {time.perf_counter() - began:.0f} s")
            before, began, cpu = await finished(kube), time.perf_counter(), cpu_by_program(system)
            flooded = await ask(person, "flooded", load.questions)
            took_s, after = time.perf_counter() - began, await finished(kube)
            spent = cpu_by_program(system)
            print(f"beside {load.runs - before} waiting runs of another: {milliseconds(flooded)}")
            rate = (after - before) / took_s
            waits_s = (load.runs - before) / rate if rate else float("inf")
            print(f"  in one line, the first would have waited for {waits_s:.0f} s (computed,")
            print(f"  from {rate:.1f} runs of the flood a second meanwhile)")
            per_run = after - before + load.questions
            for name in ("sympozium-controller", "sympozium-router", "apiserver", "node"):
                ms = (spent.get(name, 0.0) - cpu.get(name, 0.0)) / per_run * 1000
                print(f"  CPU per run, {name}: {ms:.0f} ms")


async def hand_in(world: World, count: int) -> None:
    """Have a tenant hand in so many messages, in many conversations."""
    for start in range(0, count, PUBLISHED_AT_ONCE):
        async with asyncio.TaskGroup() as group:
            for number in range(start, min(start + PUBLISHED_AT_ONCE, count)):
                group.create_task(say(world, OTHER, number, f"c{number % TALKS}"))


async def recorded_after(world: World, namespace: str, message_id: str, began: float) -> float:
    """Return how long it took until a router had recorded a message."""
    key = MessageKey(namespace, CHANNEL, MessageId(message_id))
    await until(lambda: world.store.known(key))
    return time.perf_counter() - began


async def unsettled(world: World) -> int:
    """Return how many messages of the flood no router has settled."""
    line = inbox_consumer(OTHER)
    info = await world.bus.client.jetstream().consumer_info(line.stream, line.name)
    return (info.num_pending or 0) + (info.num_ack_pending or 0)


async def measure_recording(directory: Path, count: int) -> None:
    """Print how long a message waits beside, and behind, so many that are not recorded."""
    nats = NatsServer(directory)
    await nats.start()
    try:
        async with connect(nats.address()) as bus:
            await ensure_bus(bus.client)
            await ensure_line(bus.client, NAMESPACE)
            async with a_world(directory, bus) as world:
                await furnish_other(world)
                await hand_in(world, count)
                beside = await say(world, NAMESPACE, 0)
                began = time.perf_counter()
                async with world.router():
                    took = await recorded_after(world, NAMESPACE, beside, began)
                    print(f"beside {count} messages of another: recorded after {took:.2f} s")
                    left, began = await unsettled(world), time.perf_counter()
                    await asyncio.sleep(PACE_S)
                    pace = (left - await unsettled(world)) / (time.perf_counter() - began)
                    waits_s = count / pace if pace else float("inf")
                    print(f"  in one line, it would have waited for {waits_s:.0f} s (computed,")
                    print(f"  from {pace:.1f} messages of the flood a second)")
    finally:
        nats.kill()


def main() -> None:
    """Start a model, then the system that uses it, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="how many runs the flood has")
    parser.add_argument("--questions", type=int, default=20, help="how often the other one asks")
    parser.add_argument("--messages", type=int, default=10_000, help="how many are handed in")
    given = parser.parse_args()
    load = Load(given.runs, given.questions)
    if given.messages:
        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(measure_recording(Path(directory), given.messages))
    if not load.runs:
        return
    with tempfile.TemporaryDirectory() as directory, scriptable_model(Path(directory)) as port:
        asyncio.run(measure(f"http://127.0.0.1:{port}/v1", port, load))


if __name__ == "__main__":
    main()
