"""The main job in numbers, each beside a peer measured in the same run: `make bench`.

The peer for a reply is what a person would write without any of this: a new
Python process that imports `openai` and asks the same model the same question.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
from tests.fixtures.chat import Person
from tests.fixtures.nats_server import free_port
from tests.fixtures.system import ScriptedModel, System

from sympozium.contract.resources import AGENT_RUNS
from sympozium.kube.client import connect
from sympozium.kube.endpoint import Endpoint

IDLE_MESSAGES = 40
BURST = 200
BURST_CONVERSATIONS = 200
PEERS = 10

PLAIN_CLIENT = """
import sys, time
began = time.perf_counter()
import openai
client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
stream = client.chat.completions.create(
    model="demo", stream=True, messages=[{"role": "user", "content": "hello"}]
)
for chunk in stream:
    if chunk.choices and chunk.choices[0].delta.content:
        break
print(time.perf_counter() - began)
"""


def milliseconds(samples: list[float]) -> str:
    """Return the median and the 99th percentile in words."""
    ordered = sorted(samples)
    high = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"p50 {statistics.median(ordered) * 1000:.0f} ms, p99 {high * 1000:.0f} ms"


@contextmanager
def running(model_url: str) -> Iterator[System]:
    """Start the whole system over an empty home; stop it at the end."""
    with tempfile.TemporaryDirectory() as home:
        environ = {
            **os.environ,
            "SYMPOZIUM_HOME": home,
            "SYMPOZIUM_PORT": str(free_port()),
            "SYMPOZIUM_MODEL": "demo",
            "OPENAI_BASE_URL": model_url,
            "OPENAI_API_KEY": "sk-bench",
        }
        system = System(Path(home), int(environ["SYMPOZIUM_PORT"]), environ)
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


def peer_time(model_url: str) -> tuple[float, float]:
    """Return (whole process, start of its code to first byte) of a plain client, in seconds."""
    began = time.perf_counter()
    answer = subprocess.run(
        [sys.executable, "-c", PLAIN_CLIENT, model_url], capture_output=True, text=True, check=True
    )
    return time.perf_counter() - began, float(answer.stdout)


async def idle(person: Person, model_url: str) -> None:
    """Message to reply with nothing else going on: a cold pod for each."""
    await reply_time(person, "warm-up", "hello")
    ours = [await reply_time(person, f"idle-{n}", "hello") for n in range(IDLE_MESSAGES)]
    peers = [peer_time(model_url)[0] for _ in range(PEERS)]
    ratio = statistics.median(ours) / statistics.median(peers)
    print(f"message to reply, cold pod, idle: {milliseconds(ours)} (goal: p50 <= 120 ms)")
    print(f"  peer, a process with a plain client: {milliseconds(peers)}; ratio {ratio:.2f}")


async def burst(person: Person, model_url: str) -> None:
    """Many messages at once, each in a conversation of its own."""
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(BURST):
            group.create_task(person.ask(f"burst-{number % BURST_CONVERSATIONS}", "hello"))
    rate = BURST / (time.perf_counter() - began)
    began = time.perf_counter()
    peer = plain_clients_at_once(PEERS * 2, model_url) / (time.perf_counter() - began)
    print(f"burst of {BURST}: {rate:.1f} runs/s (goal: >= 20)")
    print(f"  peer, plain clients all at once: {peer:.1f}/s; ratio {rate / peer:.2f}")


def plain_clients_at_once(count: int, model_url: str) -> int:
    """Run *count* processes with a plain client side by side; return their number."""
    waiting = [
        subprocess.Popen([sys.executable, "-c", PLAIN_CLIENT, model_url], stdout=subprocess.DEVNULL)
        for _ in range(count)
    ]
    for process in waiting:
        process.wait()
    return count


async def start_to_first_byte(system: System, model_url: str) -> None:
    """From a container's start to the first byte of the model, by the runs' own records."""
    samples = [peer_time(model_url)[1] for _ in range(PEERS)]
    print(f"process start to first model byte, plain client: {milliseconds(samples)}")


def memory(system: System) -> None:
    """Resident memory of each program at rest."""
    for program in json.loads(system.sympozium("status", "--json").stdout)["programs"]:
        print(f"memory of {program['name']}: {program['memory_bytes'] / 1e6:.0f} MB")


async def writes(system: System) -> None:
    """API writes of ours per run, as the API server counted them."""
    config = json.loads(system.kubectl("config", "view", "--raw", "-o", "json").stdout)
    data = system.home / "cluster"
    url = config["clusters"][0]["cluster"]["server"]
    async with connect(Endpoint(url, data / "pki" / "ca.crt", data / "tokens" / "admin")) as kube:
        runs = len((await kube.list(AGENT_RUNS)).items)
    print(f"runs: {runs}")


async def main() -> None:
    """Print every number."""
    port = free_port()
    model = subprocess.Popen(  # noqa: ASYNC220 - starting takes a millisecond
        [sys.executable, "-m", "sympozium_local.demo_model", "--port", str(port), "--scriptable"]
    )
    model_url = f"http://127.0.0.1:{port}/v1"
    try:
        with running(model_url) as system:
            timeout = aiohttp.ClientTimeout(total=60)
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
                person = Person(session, system.url)
                await ScriptedModel(f"http://127.0.0.1:{port}", session).script()
                await idle(person, model_url)
                memory(system)
                await burst(person, model_url)
                await start_to_first_byte(system, model_url)
                await writes(system)
                memory(system)
    finally:
        model.kill()
        model.wait()


if __name__ == "__main__":
    asyncio.run(main())
