"""The main job in numbers, each beside a peer measured in the same run: `make bench`.

The peer for a reply is what a person would write without any of this: a new
Python process that imports `openai` and asks the same model the same question.
"""

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from sympozium.contract.envelope import encode
from sympozium.contract.names import RunName, RunUid
from sympozium.contract.run_events import ModelAccess, RunContext
from tests.bench.cpu import cpu_by_program
from tests.fixtures.chat import Person
from tests.fixtures.embedded_system import EmbeddedSystem
from tests.fixtures.nats_server import free_port
from tests.fixtures.system import ScriptedModel, scriptable_model

IDLE_MESSAGES = 40
BURST = 200
PEERS = 10
COUNTED_RUNS = 20
OURS = ("sympozium-router", "sympozium-controller")
COUNTED = re.compile(
    r'\w+{user="(?P<user>[^"]*)",verb="(?P<verb>[^"]*)",resource="(?P<resource>[^"]*)",.*} '
    r"(?P<count>[0-9]+)"
)

PLAIN_CLIENT = """
import sys
import openai
client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
stream = client.chat.completions.create(
    model="demo", stream=True, messages=[{"role": "user", "content": "hello"}]
)
for chunk in stream:
    if chunk.choices and chunk.choices[0].delta.content:
        break
"""


def milliseconds(samples: list[float]) -> str:
    """Return the median and the 99th percentile in words."""
    ordered = sorted(samples)
    high = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"p50 {statistics.median(ordered) * 1000:.0f} ms, p99 {high * 1000:.0f} ms"


@contextmanager
def running(model_url: str, settings: Mapping[str, str] | None = None) -> Iterator[EmbeddedSystem]:
    """Start the whole system over an empty home, with *settings*; stop it at the end."""
    with tempfile.TemporaryDirectory() as home:
        environ = {
            **os.environ,
            "SYMPOZIUM_HOME": home,
            "SYMPOZIUM_PORT": str(free_port()),
            "SYMPOZIUM_MODEL": "demo",
            "OPENAI_BASE_URL": model_url,
            "OPENAI_API_KEY": "sk-bench",
            **(settings or {}),
        }
        system = EmbeddedSystem(Path(home), int(environ["SYMPOZIUM_PORT"]), environ)
        began = time.perf_counter()
        up = system.sympozium("up", "--background")
        if up.returncode:
            raise SystemExit(up.stdout + up.stderr)
        print(f"up: ready after {time.perf_counter() - began:.1f} s")
        try:
            yield system
        finally:
            system.sympozium("down")


async def reply_time(person: Person, conversation: str, text: str) -> float:
    """Return the seconds from posting a message to the event with its final reply."""
    async with person.events(conversation) as events:
        began = time.perf_counter()
        await person.say(conversation, text)
        async for event in events:
            if event.type == "final":
                break
            if event.type == "error":
                raise SystemExit(f"a message failed: {event.data}")
        return time.perf_counter() - began


def peer_time(model_url: str) -> float:
    """Return the seconds that a process with a plain client takes to its first byte and end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", PLAIN_CLIENT, model_url], check=True)
    return time.perf_counter() - began


async def idle(person: Person, model_url: str) -> None:
    """Message to reply with nothing else going on: a cold pod for each."""
    await reply_time(person, "warm-up", "hello")
    ours = [await reply_time(person, f"idle-{n}", "hello") for n in range(IDLE_MESSAGES)]
    peers = [peer_time(model_url) for _ in range(PEERS)]
    ratio = statistics.median(ours) / statistics.median(peers)
    print(f"message to reply, cold pod, idle: {milliseconds(ours)} (goal: p50 <= 120 ms)")
    print(f"  peer, a process with a plain client: {milliseconds(peers)}; ratio {ratio:.2f}")


async def burst(system: EmbeddedSystem, person: Person, model_url: str) -> None:
    """Many messages at once, each in a conversation of its own."""
    before = cpu_by_program(system)
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(BURST):
            group.create_task(reply_time(person, f"burst-{number}", "hello"))
    rate = BURST / (time.perf_counter() - began)
    after = cpu_by_program(system)
    began = time.perf_counter()
    peer = plain_clients_at_once(PEERS * 2, model_url) / (time.perf_counter() - began)
    print(f"burst of {BURST}: {rate:.1f} runs/s (goal: >= 20)")
    print(f"  peer, plain clients all at once: {peer:.1f}/s; ratio {rate / peer:.2f}")
    spent_ms = {name: (s - before.get(name, 0)) / BURST * 1000 for name, s in after.items()}
    parts = sorted(spent_ms.items(), key=lambda part: -part[1])
    listed = ", ".join(f"{name} {ms:.0f} ms" for name, ms in parts)
    print(f"  CPU per run: {listed}; together {sum(spent_ms.values()):.0f} ms")


def plain_clients_at_once(count: int, model_url: str) -> int:
    """Run *count* processes with a plain client side by side; return their number."""
    waiting = [
        subprocess.Popen([sys.executable, "-c", PLAIN_CLIENT, model_url], stdout=subprocess.DEVNULL)
        for _ in range(count)
    ]
    for process in waiting:
        process.wait()
    return count


def agent_first_byte(model_url: str) -> float:
    """Return the seconds from the start of an agent's process to the model's first token.

    A cold process, as on a node without a warm parent to fork from.
    """
    task = RunContext(
        run_name=RunName("bench"),
        run_uid=RunUid("bench"),
        task="hello",
        model=ModelAccess(provider="openai", model="demo"),
    )
    with tempfile.TemporaryDirectory() as ipc:
        Path(ipc, "in.jsonl").write_bytes(encode(task) + b"\n")
        spoken = Path(ipc, "out.jsonl")
        environ = {
            **os.environ,
            "SYMPOZIUM_IPC_DIR": ipc,
            "SYMPOZIUM_MODEL_URL": model_url,
            "SYMPOZIUM_RUN_UID": "bench",
            "SYMPOZIUM_RUN_NAME": "bench",
            "SYMPOZIUM_NAMESPACE": "default",
        }
        began = time.perf_counter()
        command = [sys.executable, "-m", "sympozium_agent.agent"]
        with subprocess.Popen(command, env=environ) as agent:
            while not (spoken.exists() and b'"delta"' in spoken.read_bytes()):
                time.sleep(0.002)
            took_s = time.perf_counter() - began
            agent.wait()
    return took_s


def start_to_first_byte(model_url: str) -> None:
    """From the start of a process to the first token of the model."""
    ours = [agent_first_byte(model_url) for _ in range(PEERS)]
    peers = [peer_time(model_url) for _ in range(PEERS)]
    ratio = statistics.median(ours) / statistics.median(peers)
    print(f"process start to first model byte, agent started cold: {milliseconds(ours)}")
    print(f"  peer, a plain client: {milliseconds(peers)}; ratio {ratio:.2f}")


def memory(system: EmbeddedSystem, when: str) -> None:
    """Memory of each program, shared pages counted once."""
    for program in json.loads(system.sympozium("status", "--json").stdout)["programs"]:
        print(f"memory {when}: {program['memory_bytes'] / 1e6:.0f} MB {program['name']}")


def requests_by_user(system: EmbeddedSystem, verbs: set[str]) -> Counter[str]:
    """Return how many requests with one of *verbs* each identity made, as the server counted.

    A review (of a token, of access) is a question, though it is asked by a create. A
    lease is renewed by the clock, whatever there is to do.
    """
    counts: Counter[str] = Counter()
    for line in system.kubectl("get", "--raw", "/metrics").stdout.splitlines():
        found = COUNTED.match(line)
        if found is None or found["resource"].startswith("leases"):
            continue
        if found["verb"] in verbs and "reviews." not in found["resource"]:
            counts[found["user"].rsplit(":", 1)[-1]] += int(found["count"])
    return counts


async def writes(system: EmbeddedSystem, person: Person) -> None:
    """API writes per run, ours and those of the cluster's own parts."""
    verbs = {"create", "update", "patch", "delete"}
    before = requests_by_user(system, verbs)
    for number in range(COUNTED_RUNS):
        await reply_time(person, f"counted-{number}", "hello")
    spent = requests_by_user(system, verbs)
    spent.subtract(before)
    per_run = {user: count / COUNTED_RUNS for user, count in spent.items() if count > 0}
    ours = sum(per_run.get(user, 0) for user in OURS)
    print(f"API writes of ours per run: {ours:.1f} (goal: <= 3)")
    print(f"  by identity, the cluster's own parts included: {per_run}")


async def measure(model_url: str, model_port: int) -> None:
    """Print every number."""
    timeout = aiohttp.ClientTimeout(total=60)
    connector = aiohttp.TCPConnector(limit=0)
    with running(model_url) as system:
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            person = Person(session, system.url)
            await ScriptedModel(f"http://127.0.0.1:{model_port}", session).script()
            await idle(person, model_url)
            memory(system, "at rest")
            await writes(system, person)
            await burst(system, person, model_url)
            memory(system, f"after {BURST} runs at once")
            start_to_first_byte(model_url)


def main() -> None:
    """Start a model, then the system that uses it, and measure."""
    with tempfile.TemporaryDirectory() as directory, scriptable_model(Path(directory)) as port:
        asyncio.run(measure(f"http://127.0.0.1:{port}/v1", port))


if __name__ == "__main__":
    main()
