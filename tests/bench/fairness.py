"""One tenant floods, another asks: `python -m tests.bench.fairness [--runs 10000]`.

The other tenant's time from message to reply is measured alone, and then while the
runs of the flood wait, on the whole system over the web chat. Beside it stands what the
same message would have waited for if everybody stood in one line.
"""

import argparse
import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from sympozium.contract.agentrun import TERMINAL_PHASES
from sympozium.contract.resources import AGENT_RUNS, AGENTS, Object
from sympozium.kube.client import Kube
from tests.bench.cpu import cpu_by_program
from tests.bench.main_job import milliseconds, reply_time, running
from tests.fixtures.chat import Person
from tests.fixtures.system import ScriptedModel, administrator, scriptable_model
from tests.fixtures.tenants import make_tenant

FLOOD = "flood"
CREATED_AT_ONCE = 8


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


def main() -> None:
    """Start a model, then the system that uses it, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="how many runs the flood has")
    parser.add_argument("--questions", type=int, default=20, help="how often the other one asks")
    given = parser.parse_args()
    load = Load(given.runs, given.questions)
    with tempfile.TemporaryDirectory() as directory, scriptable_model(Path(directory)) as port:
        asyncio.run(measure(f"http://127.0.0.1:{port}/v1", port, load))


if __name__ == "__main__":
    main()
