"""The processes that are measured: a channel's program, a bare one, and what the system says."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sympozium.bus.admin import ensure_bus, ensure_consumer
from sympozium.bus.lines import ensure_line
from sympozium.bus.nats import Address, NatsBus, connect
from sympozium.contract.subjects import INBOX, outbox_consumer, reply_prefix
from sympozium.testing.channels.driver import Driver
from sympozium.testing.channels.program import Program
from sympozium.testing.channels.stage import CHANNEL, NAMESPACE
from sympozium.testing.nats_server import NatsServer

PATIENCE_S = 60.0
LOOK_EVERY_S = 0.005
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What a process takes.

    Attributes:
        rss_mb: Memory, shared pages included.
        own_mb: Memory that would be free without it.
        cpu_s: Processor's time since its start.
    """

    rss_mb: float
    own_mb: float
    cpu_s: float


def usage(pid: int) -> Usage:
    """Return what a process takes now."""
    kilobytes = {
        name: int(rest.split()[0])
        for name, _, rest in (
            line.partition(":")
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        )
    }
    own = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return Usage(
        rss_mb=kilobytes["Rss"] / 1000,
        own_mb=own / 1000,
        cpu_s=sum(map(int, times)) / TICKS_PER_S,
    )


@dataclass(frozen=True)
class Pod:
    """A channel that runs between its platform and a bus of its own."""

    bus: NatsBus
    nats: NatsServer
    program: Program

    async def stored(self, count: int) -> None:
        """Return when so many messages are in INBOX.

        Raises:
            AssertionError: They are not in time, or there are more of them.
        """
        found = -1
        try:
            async with asyncio.timeout(PATIENCE_S):
                while found < count:
                    await asyncio.sleep(LOOK_EVERY_S)
                    info = await self.bus.client.jetstream().stream_info(INBOX)
                    found = info.state.messages
        except TimeoutError:
            pass
        assert found == count, f"{found} of {count} messages in INBOX\n{self.program.log[-3000:]}"


@asynccontextmanager
async def bus_in(directory: Path) -> AsyncIterator[tuple[NatsServer, NatsBus]]:
    """Start a nats-server that syncs each write, with all streams; end it with the block."""
    nats = NatsServer(directory)
    await nats.start()
    try:
        async with connect(Address(nats.url, "bench", reply_prefix("router"))) as bus:
            await ensure_bus(bus.client)
            await ensure_line(bus.client, NAMESPACE)
            await ensure_consumer(bus.client, outbox_consumer(NAMESPACE, CHANNEL))
            yield nats, bus
    finally:
        nats.kill()


def pod_of(driver: Driver, nats: NatsServer, bus: NatsBus, directory: Path) -> Pod:
    """Return a channel's pod that is not started yet, with the log level of a deployment."""
    env = {
        "SYMPOZIUM_CHANNEL_NAMESPACE": NAMESPACE,
        "SYMPOZIUM_CHANNEL_NAME": CHANNEL,
        "SYMPOZIUM_NATS_URL": nats.url,
        "SYMPOZIUM_LOG_LEVEL": "INFO",
        **driver.env,
    }
    return Pod(bus, nats, Program(driver.module, env, directory / "channel.log"))


class Bare:
    """A bare program. Made by `bare`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    async def says(self, expected: str) -> None:
        """Return when it says a line; the next one must be as expected."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            line = (await self._process.stdout.readline()).decode().strip()
        assert line == expected, f"the bare program says {line!r} instead of {expected!r}"


@asynccontextmanager
async def bare(module: str, env: Mapping[str, str], *marks: int) -> AsyncIterator[Bare]:
    """Run a bare program that is ready, until the block ends.

    Args:
        module: What it is.
        env: The bot's tokens and addresses.
        marks: It says when it has heard so many messages; none: it echoes.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *map(str, marks),
        env={
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            **env,
        },
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        started = Bare(process)
        await started.says("ready")
        yield started
    finally:
        process.kill()
        await process.wait()
