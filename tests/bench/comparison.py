"""The same load and the same faults against our router and a port of the older loop.

    python -m tests.bench.comparison [--seed N] [--seconds N] [--rate N]

The faults are those of the laboratory's schedule of that seed which concern the router and
its connections to the bus and to the API server. The older loop has no sync points: a death
or a stop at one of the router's is a kill or a stop at that moment, for both. Left out are faults
of programs, platforms, disks and clocks that are not here.
Real here: nats-server, the API server, the router and the loop as processes. Runs
answer at once. A platform's part is played by the bench: it publishes what people say
until the bus has it, and delivers one event in fifty twice, as platforms do.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from sympozium.bus.admin import ensure_bus
from sympozium.bus.lines import ensure_line
from sympozium.bus.nats import Address, connect
from sympozium.contract.errors import TransientError
from sympozium.contract.messages import OutboundKind
from sympozium.contract.names import MessageId, RunUid
from sympozium.contract.resources import AGENT_RUNS, Object
from sympozium.contract.run_events import Result, record
from sympozium.contract.subjects import reply_prefix, run_out
from sympozium_local.system.home import Home
from tests.fault.faults.network import Deaf, Refuse, Reset, Slow
from tests.fault.faults.pauses import Pause
from tests.fault.faults.processes import Die, Kill, Restart, Stop
from tests.fault.faults.shape import Fault
from tests.fault.pids import Pids
from tests.fault.plant import Plant
from tests.fault.schedule import Moment, draw
from tests.fixtures.nats_server import NatsServer, free_port
from tests.fixtures.tcp_proxy import tcp_proxy
from tests.router.routed import NAMESPACE, World, a_world

BUS, API = "router-bus", "router-api"
SEED = 1393
"""Of the seeds below 2,000 one with the most kinds of such faults in the first 20 s: five."""

CONVERSATIONS = 16
TWICE = 0.02
"""Share of events that a platform delivers a second time."""

DOWN_S = 1.0
"""From a death to the next start, as a kubelet or a supervisor needs it."""

QUIET_S = 10.0
"""Nothing more is expected when nothing came for so long."""

START_TIMEOUT_S = 20.0

Side = Literal["ours", "older"]
PROGRAMS: dict[Side, str] = {"ours": "sympozium_router", "older": "tests.bench.older_loop"}


@dataclass
class Tally:
    """What came of a load."""

    said: int = 0
    runs: dict[str, int] = field(default_factory=dict)
    replies: dict[str, int] = field(default_factory=dict)

    def row(self, side: Side) -> str:
        """Return it as a row of the table."""
        lost = sum(not count for count in self.replies.values())
        twice = sum(count > 1 for count in self.replies.values())
        runs = sum(count > 1 for count in self.runs.values())
        return f"| {side} | {self.said} | {lost} | {twice} | {runs} |"


def faults_of(seed: int, seconds: float) -> list[Moment]:
    """Return what the laboratory's schedule holds for a router and a bus."""
    return [moment for moment in draw(seed, seconds) if _concerns_both(moment.fault)]


def _concerns_both(fault: Fault) -> bool:
    match fault:
        case Kill(program=program) | Stop(program=program) | Restart(program=program):
            return program == "router" or (program == "bus" and not isinstance(fault, Stop))
        case Die(point=point) | Pause(point=point):
            return point.program == "router"
        case Refuse(pair=pair) | Reset(pair=pair) | Slow(pair=pair) | Deaf(pair=pair):
            return pair in (BUS, API)
        case _:
            return False


class Contest:
    """One side, under the load and the faults."""

    def __init__(self, side: Side, world: World, nats: NatsServer, plant: Plant) -> None:
        self._side = side
        self._world = world
        self._nats = nats
        self._plant = plant
        self._program: asyncio.subprocess.Process | None = None
        self._said: dict[str, str] = {}

    async def run(self, seed: int, seconds: float, rate: float) -> Tally:
        """Return what came of it, once it is quiet."""
        await self._start_program()
        async with asyncio.TaskGroup() as group:
            agents = group.create_task(self._agents())
            async with asyncio.TaskGroup() as people:
                people.create_task(self._people(random.Random(seed), seconds, rate))
                people.create_task(self._faults(faults_of(seed, seconds)))
            await self._quiet()
            agents.cancel()
        await self._stop_program()
        return await self._tally()

    async def _people(self, random_: random.Random, seconds: float, rate: float) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(int(seconds * rate)):
                conversation = f"c{random_.randrange(CONVERSATIONS)}"
                for _ in range(1 + (random_.random() < TWICE)):
                    group.create_task(self._deliver(str(number), conversation))
                await asyncio.sleep(1 / rate)

    async def _deliver(self, number: str, conversation: str) -> None:
        """Publish one event until the bus has it; the older channel gives it no id."""
        while True:
            id_ = "" if self._side == "ours" else os.urandom(8).hex()
            try:
                said = await self._world.say(number, conversation=conversation, nats_id=id_)
            except TransientError:
                await asyncio.sleep(0.2)
                continue
            self._said[number] = said
            return

    async def _faults(self, moments: Sequence[Moment]) -> None:
        began = asyncio.get_running_loop().time()
        for moment in moments:
            await asyncio.sleep(max(0.0, began + moment.at_s - asyncio.get_running_loop().time()))
            match moment.fault:
                case Refuse() | Reset() | Slow() | Deaf():
                    await moment.fault.inject(self._plant)
                case Restart() | Kill(program="bus"):
                    self._nats.kill()
                    await asyncio.sleep(DOWN_S)
                    await self._nats.start()
                case Stop(for_s=for_s) | Pause(for_s=for_s) if self._program is not None:
                    self._program.send_signal(signal.SIGSTOP)
                    await asyncio.sleep(for_s)
                    self._program.send_signal(signal.SIGCONT)
                case _:
                    await self._stop_program()
                    await asyncio.sleep(DOWN_S)
                    await self._start_program()

    async def _agents(self) -> None:
        """Be every run's agent: answer at once, in its status and in RUNS."""
        kube = self._world.kube
        since = (await kube.list(AGENT_RUNS)).resource_version
        async with asyncio.TaskGroup() as group:
            async for event in kube.watch(AGENT_RUNS, None, since=since):
                if event.type == "ADDED":
                    group.create_task(self._answer(event.object))

    async def _answer(self, run: Object) -> None:
        metadata, text = run["metadata"], "re: " + run["spec"]["task"]
        await self._world.end_run(run, result=text)
        data = record(Result(text=text), id=f"{metadata['uid']}/1", time=self._world.clock())
        subject = run_out(metadata["namespace"], RunUid(metadata["uid"]))
        while True:
            with suppress(TransientError):
                await self._world.bus.publish(subject, data, message_id=f"{metadata['uid']}/1")
                return
            await asyncio.sleep(0.2)

    async def _quiet(self) -> None:
        """Return when everybody was answered, or nothing was for a while."""
        shown = self._world.shown
        seen = -1
        while len(shown.messages) != seen:
            seen = len(shown.messages)
            with suppress(TimeoutError):
                async with asyncio.timeout(QUIET_S):
                    await shown.until(lambda one: all(one.ends(id_) for id_ in self._said.values()))
                    return

    async def _tally(self) -> Tally:
        """Count what is in the streams; a delivery whose acknowledgement was lost comes twice."""
        stored = dict(zip(self._world.shown.sequences, self._world.shown.messages, strict=True))
        ended = [one.message_id for one in stored.values() if one.kind is OutboundKind.FINAL]
        runs = (await self._world.kube.list(AGENT_RUNS)).items
        asked = [run["spec"]["source"]["messageId"] for run in runs]
        ids = self._said.values()
        return Tally(
            said=len(self._said),
            runs={id_: asked.count(id_) for id_ in ids},
            replies={id_: ended.count(MessageId(id_)) for id_ in ids},
        )

    async def _start_program(self) -> None:
        endpoint, port = self._world.api.endpoint, free_port()
        ports = {name: proxy.port for name, proxy in self._plant.pairs.items()}
        self._program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", PROGRAMS[self._side]),
            env={
                **os.environ,
                "SYMPOZIUM_NATS_URL": f"nats://127.0.0.1:{ports[BUS]}",
                "SYMPOZIUM_STORE_URL": self._world.store_url,
                "SYMPOZIUM_HEALTH_PORT": str(port),
                "SYMPOZIUM_KUBE_URL": f"{urlsplit(endpoint.url).scheme}://127.0.0.1:{ports[API]}",
                "SYMPOZIUM_KUBE_CA": str(endpoint.ca_file),
                "SYMPOZIUM_KUBE_TOKEN": str(endpoint.token_file),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        if self._side == "older":  # a predecessor's messages are gone; give it all new ones
            assert self._program.stdout is not None
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._program.stdout.readline()

    async def _stop_program(self) -> None:
        if self._program is not None and self._program.returncode is None:
            self._program.kill()
            await self._program.wait()


@asynccontextmanager
async def contest(side: Side) -> AsyncIterator[Contest]:
    """Open a world of its own for one side."""
    with tempfile.TemporaryDirectory() as folder:
        nats = NatsServer(Path(folder))
        await nats.start()
        try:
            address = Address(nats.url, "bench", reply_prefix("test"))
            async with connect(address) as bus:
                await ensure_bus(bus.client)
                await ensure_line(bus.client, NAMESPACE)
                async with a_world(Path(folder), bus) as world, led(world, nats) as plant:
                    yield Contest(side, world, nats, plant)
        finally:
            nats.kill()


@asynccontextmanager
async def led(world: World, nats: NatsServer) -> AsyncIterator[Plant]:
    """Stand between the program and what it talks to."""
    api_port = urlsplit(world.api.endpoint.url).port
    assert api_port is not None
    async with tcp_proxy(nats.port) as bus, tcp_proxy(api_port) as api:
        home = Home(Path(world.store_url))
        yield Plant(home, world.kube, {}, Pids(home, world.kube, {}), {BUS: bus, API: api})


async def main(seed: int, seconds: float, rate: float) -> int:
    """Print both sides' tallies; return 1 if ours lost or doubled anything."""
    print(f"seed {seed}, {seconds:g} s, {rate:g} messages/s")
    print(*faults_of(seed, seconds), sep="\n")
    print("\n| side | messages | lost | answered twice | run twice |\n|---|---|---|---|---|")
    tallies: dict[Side, Tally] = {}
    for side in PROGRAMS:
        async with contest(side) as one:
            tallies[side] = await one.run(seed, seconds, rate)
        print(tallies[side].row(side), flush=True)
    ours = tallies["ours"]
    return int(any(count != 1 for count in [*ours.replies.values(), *ours.runs.values()]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=8.0)
    chosen = parser.parse_args()
    sys.exit(asyncio.run(main(chosen.seed, chosen.seconds, chosen.rate)))
