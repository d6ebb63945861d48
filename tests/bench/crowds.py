"""Many messages at once: how fast they are taken in, and what that costs in memory and time."""

import asyncio
import itertools
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from sympozium.contract.subjects import inbox
from sympozium.testing.channels.desk import memory_desk
from sympozium.testing.channels.stage import CHANNEL, NAMESPACE
from tests.bench.accounts import Platform
from tests.bench.processes import Usage, bare, bus_in, pod_of, usage

MESSAGES = 2000
WARM_UP = 200
REST_S = 1.0
AFTERWARDS_S = 3.0
BODY_BYTES = 600
PUBLISHERS = 64
"""As many as a channel has in hand of one connection."""


@dataclass(frozen=True)
class Figures:
    """What one program made of a crowd."""

    ready_s: float
    took_s: float
    at_rest: Usage
    before: Usage
    after: Usage
    later: Usage

    @property
    def rate(self) -> float:
        """Messages a second."""
        return MESSAGES / self.took_s

    @property
    def cpu_ms(self) -> float:
        """Processor's time for one message."""
        return (self.after.cpu_s - self.before.cpu_s) / MESSAGES * 1000

    @property
    def share_later(self) -> float:
        """Share of a processor that is used when the crowd is silent again."""
        return (self.later.cpu_s - self.after.cpu_s) / AFTERWARDS_S


async def channel_figures(platform: Platform, directory: Path) -> Figures:
    """Have a crowd write to a channel, until everything is in INBOX."""
    async with (
        platform.open() as account,
        bus_in(directory) as (nats, bus),
        memory_desk(bus, NAMESPACE, CHANNEL),
    ):
        pod = pod_of(account.driver, nats, bus, directory)
        try:
            began = time.perf_counter()
            await pod.program.start()
            ready_s = time.perf_counter() - began
            await asyncio.sleep(REST_S)
            at_rest = usage(pod.program.pid)
            await account.crowd(WARM_UP)()
            await pod.stored(WARM_UP)
            await asyncio.sleep(REST_S)
            deliver, before = account.crowd(MESSAGES), usage(pod.program.pid)
            began = time.perf_counter()
            await deliver()
            await pod.stored(WARM_UP + MESSAGES)
            took_s = time.perf_counter() - began
            after = usage(pod.program.pid)
            await asyncio.sleep(AFTERWARDS_S)
            return Figures(ready_s, took_s, at_rest, before, after, usage(pod.program.pid))
        finally:
            pod.program.kill()


async def bare_figures(platform: Platform) -> Figures:
    """Have the same crowd write to the bare program, until it has counted everything."""
    everything = WARM_UP + MESSAGES
    async with platform.open() as account, AsyncExitStack() as stack:
        began = time.perf_counter()
        program = await stack.enter_async_context(
            bare(platform.bare, account.driver.env, WARM_UP, everything)
        )
        ready_s = time.perf_counter() - began
        await asyncio.sleep(REST_S)
        at_rest = usage(program.pid)
        await account.crowd(WARM_UP)()
        await program.says(f"heard {WARM_UP}")
        await asyncio.sleep(REST_S)
        deliver, before = account.crowd(MESSAGES), usage(program.pid)
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            group.create_task(program.says(f"heard {everything}"))
            await deliver()
        took_s = time.perf_counter() - began
        after = usage(program.pid)
        await asyncio.sleep(AFTERWARDS_S)
        return Figures(ready_s, took_s, at_rest, before, after, usage(program.pid))


async def print_crowd(platform: Platform) -> None:
    """Print messages a second and memory, of a channel and of the bare program."""
    with tempfile.TemporaryDirectory() as directory:
        ours = await channel_figures(platform, Path(directory))
    peer = await bare_figures(platform)
    print(
        f"{platform.name}: {MESSAGES} messages at once: {ours.rate:.0f}/s stored and synced, "
        f"{ours.cpu_ms:.2f} ms of processor each"
    )
    print(
        f"  peer, bare library, counted: {peer.rate:.0f}/s, {peer.cpu_ms:.2f} ms each; "
        f"ratio {ours.rate / peer.rate:.2f}, of processor {ours.cpu_ms / peer.cpu_ms:.2f}"
    )
    print(
        f"{platform.name}: processor used in the {AFTERWARDS_S:.0f} s after them: "
        f"{ours.share_later:.0%}; peer {peer.share_later:.0%}"
    )
    print(
        f"{platform.name}: process start to ready: {ours.ready_s:.2f} s; peer {peer.ready_s:.2f} s"
    )
    for when, mine, theirs in (
        ("at rest", ours.at_rest, peer.at_rest),
        ("after them", ours.after, peer.after),
    ):
        print(
            f"{platform.name}: memory {when}: {mine.rss_mb:.0f} MB resident, "
            f"{mine.own_mb:.0f} its own (goal: <= 60); "
            f"peer {theirs.rss_mb:.0f} and {theirs.own_mb:.0f}; "
            f"ratio {mine.rss_mb / theirs.rss_mb:.2f}"
        )


async def print_bus() -> None:
    """Print what the bus does alone: no channel can store more than that."""
    data = b"x" * BODY_BYTES
    numbers = itertools.count()
    with tempfile.TemporaryDirectory() as directory:
        async with bus_in(Path(directory)) as (_, bus):

            async def publish(times: int) -> None:
                for _ in range(times):
                    subject = inbox(NAMESPACE, CHANNEL)
                    await bus.publish(subject, data, message_id=str(next(numbers)))

            await publish(WARM_UP)
            began = time.perf_counter()
            await publish(MESSAGES // 4)
            one_by_one = MESSAGES // 4 / (time.perf_counter() - began)
            began = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for _ in range(PUBLISHERS):
                    group.create_task(publish(MESSAGES // PUBLISHERS))
            together = MESSAGES / (time.perf_counter() - began)
    print(
        f"bus: synced writes of {BODY_BYTES} bytes: {one_by_one:.0f}/s one by one, "
        f"{together:.0f}/s {PUBLISHERS} at once"
    )
