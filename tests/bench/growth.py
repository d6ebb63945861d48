"""What one message costs beside much history: `make growth`.

Two real systems, all programs, on one machine: one without history, and one with 1,000 and
then 10,000 finished runs and 5,000 threads. They are asked in turns, so that both meet the
same machine. Beside it, on the same API servers, a port of the older implementation's way to
answer a completion: it lists all AgentRuns and all agents and looks for the right ones.
The port is written for this comparison only.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from sympozium.contract.resources import AGENT_RUNS, AGENTS
from sympozium.kube.client import Kube, connect
from sympozium.kube.endpoint import Endpoint
from sympozium_local.kubelet.__main__ import read_kubeconfig
from sympozium_local.system.home import Home
from tests.bench.cpu import cpu_by_program
from tests.bench.history import NAMESPACE, History
from tests.bench.main_job import COUNTED, reply_time, running
from tests.bench.steady import ANSWER
from tests.fixtures.chat import Person
from tests.fixtures.embedded_system import EmbeddedSystem
from tests.fixtures.system import ScriptedModel, scriptable_model

LEVELS = ((0, 0), (1_000, 500), (10_000, 5_000))
"""Finished runs, and threads."""

MESSAGES = 60
EVENTS = 12
QUIET_S = 20.0
IDLE_S = 60.0
GOAL = 1.1
OURS = ("sympozium-router", "sympozium-controller", "channel-web", "apiserver", "nats-server")
QUIET_VERBS = {"watch"}


@dataclass(frozen=True)
class Side:
    """One system and somebody who writes to it."""

    system: EmbeddedSystem
    person: Person
    kube: Kube


@dataclass(frozen=True)
class Times:
    """What one message took.

    Attributes:
        message_s: From its posting until its run is seen to be at work.
        reply_s: From the last word of its answer as it was written to the reply.
        whole_s: From its posting to the reply.
    """

    message_s: float
    reply_s: float
    whole_s: float


@dataclass(frozen=True)
class Cost:
    """What one message takes.

    Attributes:
        message_ms: The median of `Times.message_s`, and so on.
        cpu_ms: By program.
        older_ms: What one completion takes in the older way, beside the same objects.
        older_cpu_ms: The same of processors, its own and the API server's.
    """

    message_ms: float
    reply_ms: float
    whole_ms: float
    cpu_ms: Mapping[str, float]
    older_ms: float
    older_cpu_ms: float

    @property
    def ours_cpu_ms(self) -> float:
        """What the programs take that see every message; pods are the same ones always."""
        return sum(self.cpu_ms.get(name, 0.0) for name in OURS)


async def measure(sides: tuple[Side, ...], label: str) -> list[Cost]:
    """Measure messages to each of *sides* in turns, so that both meet the same machine."""
    for side in sides:
        await reply_time(side.person, f"warm-up-{label}", "hello")
    before = [cpu_by_program(side.system) for side in sides]
    times: list[list[Times]] = [[] for _ in sides]
    for number in range(MESSAGES):
        for side, own in zip(sides, times, strict=True):
            own.append(await ask(side.person, f"growth-{label}-{number}"))
    after = [cpu_by_program(side.system) for side in sides]
    costs = []
    for side, own, then, now in zip(sides, times, before, after, strict=True):
        spent = {name: (s - then.get(name, 0.0)) * 1000 / MESSAGES for name, s in now.items()}
        older = await older_events(side.system, side.kube)
        medians = (
            statistics.median(one.message_s for one in own) * 1000,
            statistics.median(one.reply_s for one in own) * 1000,
            statistics.median(one.whole_s for one in own) * 1000,
        )
        costs.append(Cost(*medians, spent, *older))
    return costs


async def ask(person: Person, conversation: str) -> Times:
    """Ask something and return what it took.

    Raises:
        SystemExit: It was not answered.
    """
    async with person.events(conversation) as events:
        began = at_work = last = time.perf_counter()
        await person.say(conversation, "hello")
        async for event in events:
            now = time.perf_counter()
            if event.type in {"running", "delta"}:
                at_work, last = (now if at_work == began else at_work), now
            elif event.type == "final":
                return Times(at_work - began, now - last, now - began)
            elif event.type == "error":
                raise SystemExit(f"a message failed: {event.data}")
    raise SystemExit("the stream of events ended before the answer")


async def older_events(system: EmbeddedSystem, kube: Kube) -> tuple[float, float]:
    """Return the milliseconds, and those of processors, of one completion in the older way."""
    times = []
    before, own = cpu_by_program(system), time.process_time()
    for _ in range(EVENTS):
        began = time.perf_counter()
        await older_event(kube)
        times.append(time.perf_counter() - began)
    server_s = cpu_by_program(system)["apiserver"] - before["apiserver"]
    cpu_s = time.process_time() - own + server_s
    return statistics.median(times) * 1000, cpu_s * 1000 / EVENTS


async def older_event(kube: Kube) -> None:
    """Find the run and the agent of one completion as the older implementation does."""
    runs = (await kube.list(AGENT_RUNS, NAMESPACE)).items
    newest = max(runs, key=lambda run: int(run["metadata"]["resourceVersion"]))
    (run,) = [one for one in runs if one["metadata"]["uid"] == newest["metadata"]["uid"]]
    agents = (await kube.list(AGENTS, NAMESPACE)).items
    assert [one for one in agents if one["metadata"]["name"] == run["spec"]["agentRef"]]


def requests(system: EmbeddedSystem) -> Counter[str]:
    """Return how many requests each identity made so far, by what they asked."""
    counts: Counter[str] = Counter()
    for line in system.kubectl("get", "--raw", "/metrics").stdout.splitlines():
        found = COUNTED.match(line)
        if found:
            who = found["user"].rsplit(":", 1)[-1]
            counts[f"{who} {found['verb']} {found['resource']}"] += int(found["count"])
    return counts


async def older_idle(kube: Kube) -> int:
    """Do what the older implementation does in a minute in which nobody writes.

    It lists the Agents, and writes each anew, once a minute. Returns how many requests that was.
    """
    agents = (await kube.list(AGENTS, NAMESPACE)).items
    for agent in agents:
        seen = {"metadata": {"annotations": {"bench.sympozium.ai/seen": str(time.time_ns())}}}
        await kube.patch(AGENTS, NAMESPACE, agent["metadata"]["name"], seen)
    return 1 + len(agents)


async def idle_requests(system: EmbeddedSystem) -> Counter[str]:
    """Return the requests of a minute in which nobody writes, ours left out."""
    before = await asyncio.to_thread(requests, system)
    await asyncio.sleep(IDLE_S)
    after = await asyncio.to_thread(requests, system)
    after.subtract(before)
    return Counter({name: count for name, count in after.items() if count and "admin" not in name})


def show(level: tuple[int, int], empty: Cost, full: Cost) -> bool:
    """Print a table; return whether the goal is met."""
    runs, threads = level
    title = f"{runs} finished runs, {threads} threads"
    print(f"\n{title:40}{'beside none':>14}{'with':>12}{'ratio':>8}")
    rows = {
        "message to a run at work, p50 ms": (empty.message_ms, full.message_ms),
        "last word to reply, p50 ms": (empty.reply_ms, full.reply_ms),
        "message to reply, p50 ms": (empty.whole_ms, full.whole_ms),
        "CPU ms per message and reply, ours": (empty.ours_cpu_ms, full.ours_cpu_ms),
        **{
            f"  {name}": (spent, full.cpu_ms.get(name, 0.0)) for name, spent in empty.cpu_ms.items()
        },
        "older way, ms per completion": (empty.older_ms, full.older_ms),
        "older way, CPU ms per completion": (empty.older_cpu_ms, full.older_cpu_ms),
    }
    for name, (before, after) in rows.items():
        ratio = after / before if before else 0.0
        print(f"{name:40}{before:14.1f}{after:12.1f}{ratio:8.2f}", flush=True)
    times = full.whole_ms / empty.whole_ms, full.message_ms / empty.message_ms
    is_met = max(*times, full.ours_cpu_ms / empty.ours_cpu_ms) <= GOAL
    print(f"goal, reply time and CPU <= {GOAL}: {'met' if is_met else 'missed'}")
    return is_met


def show_idle(counts: Counter[str], threads: int) -> bool:
    """Print what was asked while nobody wrote; return whether it was only watches and leases."""
    others = {
        name: count
        for name, count in counts.items()
        if name.split()[1] not in QUIET_VERBS and "leases" not in name
    }
    print(
        f"idle, {threads} threads, requests in {IDLE_S:.0f} s beyond watches and leases: ", end=""
    )
    print(others or "0")
    print(f"  watches and leases: {sum(counts.values()) - sum(others.values())}")
    return not others


async def growth(model_url: str, model_port: int) -> bool:
    """Print everything; return whether the goals are met."""
    timeout = aiohttp.ClientTimeout(total=60)
    with running(model_url) as beside, running(model_url) as grown:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            connect(administrator(Home(beside.home))) as beside_kube,
            connect(administrator(Home(grown.home))) as kube,
        ):
            await ScriptedModel(f"http://127.0.0.1:{model_port}", session).script(
                {"match": "hello", "answer": ANSWER}
            )
            sides = (
                Side(beside, Person(session, beside.url), beside_kube),
                Side(grown, Person(session, grown.url), kube),
            )
            history, met = History(kube, Home(grown.home)), True
            for level in LEVELS:
                await history.grow(runs=level[0], threads=level[1])
                await asyncio.sleep(QUIET_S)
                met &= show(level, *await measure(sides, str(level[0])))
            await asyncio.sleep(QUIET_S)
            is_idle = show_idle(await idle_requests(grown), LEVELS[-1][1])
            older = await older_idle(kube)
            print(f"  older way, requests a minute for one list and each Agent: {older}")
            return is_idle and met


def administrator(home: Home) -> Endpoint:
    """Return the API server as its administrator reaches it."""
    return read_kubeconfig(home.kubeconfig, home.path / "bench")


def main() -> None:
    """Measure, and say whether the goals were met."""
    with tempfile.TemporaryDirectory() as directory, scriptable_model(Path(directory)) as port:
        sys.exit(not asyncio.run(growth(f"http://127.0.0.1:{port}/v1", port)))


if __name__ == "__main__":
    main()
