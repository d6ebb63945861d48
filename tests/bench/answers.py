"""One message at a time in quiet chats: into INBOX, the first live token, the answer."""

import asyncio
import math
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sympozium.contract.messages import InboundMessage
from sympozium.testing.channels.backstage import Run, backstage
from sympozium.testing.channels.driver import Driver, Spot, Where
from sympozium.testing.channels.stage import CHANNEL, NAMESPACE, Stage
from tests.bench.accounts import Platform
from tests.bench.processes import PATIENCE_S, bare, bus_in, pod_of

RUNS = 20
PAUSE_S = 0.5
"""On top of the platform's interval, until a chat counts as quiet."""

PACE_S = 0.1
"""Between two runs: the bot in all is to be within its limits too, as in a quiet hour."""

LATE_S = 0.1
"""A person would see that the first words came late."""

QUESTION = "which pods run here?"
FIRST_WORDS = "The first words of the answer."
LAST_WORDS = "This is the whole answer, and there is nothing else to say."


@dataclass(frozen=True)
class Asked:
    """A message that a run is at work on."""

    where: Where
    message: InboundMessage
    run: Run


def spread(samples: list[float]) -> str:
    """Return the median and the 99th percentile in words; of few samples that is the worst."""
    ordered = sorted(samples)
    high = ordered[math.ceil(len(ordered) * 0.99) - 1]
    return f"p50 {statistics.median(ordered) * 1000:.1f} ms, p99 {high * 1000:.1f} ms"


@dataclass(frozen=True)
class Times:
    """How long each message took on its way in, each first token and each answer out."""

    messages: list[float]
    tokens: list[float]
    answers: list[float]


def places(spot: Spot) -> list[Where]:
    """Return chats of a kind that nobody has been in."""
    return [Where(spot, f"quiet-{number}") for number in range(RUNS)]


@asynccontextmanager
async def staged(platform: Platform, directory: Path) -> AsyncIterator[Stage]:
    """Yield a running channel with somebody behind it who answers."""
    async with (
        platform.open() as account,
        bus_in(directory) as (nats, bus),
        backstage(bus, NAMESPACE, CHANNEL) as behind,
    ):
        pod = pod_of(account.driver, nats, bus, directory)
        try:
            await pod.program.start()
            yield Stage(account.driver, behind, pod.program, nats)
        finally:
            pod.program.kill()


async def quiet(driver: Driver) -> None:
    """Wait until a preview would be shown at once everywhere."""
    await asyncio.sleep(driver.capabilities.preview_every_s + PAUSE_S)


async def messages_in(stage: Stage, chats: list[Where]) -> tuple[list[float], list[InboundMessage]]:
    """Return how long each message took from the person to a reader of INBOX."""
    times, heard = [], []
    for where in chats:
        began = time.perf_counter()
        _, message = await stage.asks("ann", where, QUESTION)
        times.append(time.perf_counter() - began)
        heard.append(message)
    return times, heard


async def at_work(stage: Stage, chats: list[Where], heard: list[InboundMessage]) -> list[Asked]:
    """Return the messages as soon as a placeholder is seen below each."""
    asked = []
    for where, message in zip(chats, heard, strict=True):
        run = await stage.backstage.accept(message)
        await stage.sees(where, bool, "a placeholder")
        await stage.backstage.starts(run)
        asked.append(Asked(where, message, run))
    return asked


async def first_tokens(stage: Stage, asked: list[Asked]) -> list[float]:
    """Return how long each run's first live token took to a person's eyes."""
    times = []
    for one in asked:
        began = time.perf_counter()
        await stage.backstage.writes(one.run, FIRST_WORDS)
        await stage.sees_once(one.where, FIRST_WORDS)
        times.append(time.perf_counter() - began)
        await asyncio.sleep(PACE_S)
    return times


async def answers_out(stage: Stage, asked: list[Asked]) -> list[float]:
    """Return how long each answer took from its publishing to a person's eyes."""
    times = []
    for one in asked:
        began = time.perf_counter()
        await stage.backstage.finish(one.message, one.run, LAST_WORDS)
        await stage.sees_once(one.where, LAST_WORDS)
        times.append(time.perf_counter() - began)
        await asyncio.sleep(PACE_S)
    return times


async def echoes(platform: Platform) -> list[float]:
    """Return how long a bare program takes from a message to its echo in a person's eyes."""
    times = []
    async with platform.open() as account, bare(platform.bare, account.driver.env):
        driver = account.driver
        await driver.says("ann", Where(Spot.DIRECT, "warm-up"), QUESTION)
        await _seen(driver, Where(Spot.DIRECT, "warm-up"))
        for number in range(RUNS):
            where = Where(Spot.DIRECT, f"echo-{number}")
            began = time.perf_counter()
            await driver.says("ann", where, QUESTION)
            await _seen(driver, where)
            times.append(time.perf_counter() - began)
    return times


async def _seen(driver: Driver, where: Where) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not any(QUESTION in one.text for one in driver.seen(where)):
            await driver.changed()


async def times_of(platform: Platform, spot: Spot) -> Times:
    """Lead one conversation in each of many quiet chats."""
    chats = places(spot)
    with tempfile.TemporaryDirectory() as directory:
        async with staged(platform, Path(directory)) as stage:
            messages, heard = await messages_in(stage, chats)
            asked = await at_work(stage, chats, heard)
            await quiet(stage.driver)
            tokens = await first_tokens(stage, asked)
            await quiet(stage.driver)
            return Times(messages, tokens, await answers_out(stage, asked))


async def print_answers(platform: Platform) -> None:
    """Print the times of one message, its first live token and its answer."""
    peer = await echoes(platform)
    print(f"{platform.name}, bare library: message to its echo seen: {spread(peer)}")
    for spot in (Spot.DIRECT, Spot.CHANNEL):
        times = await times_of(platform, spot)
        both = [one + other for one, other in zip(times.messages, times.answers, strict=True)]
        ratio = statistics.median(both) / statistics.median(peer)
        late = sum(one > LATE_S for one in times.tokens)
        name = f"{platform.name}, {spot.value}"
        print(f"{name}: message to INBOX: {spread(times.messages)}")
        print(
            f"{name}: final into OUTBOX to seen: {spread(times.answers)}; "
            f"ratio of both to the echo {ratio:.2f}"
        )
        print(
            f"{name}: first live token to seen: {spread(times.tokens)}; "
            f"{late} of {RUNS} later than {LATE_S * 1000:.0f} ms"
        )
