"""A steady load for a long time: nothing may grow, and nobody may wait longer at its end.

`make soak` asks for twenty minutes and ends with exit code 1 where a bound is broken.
Before them goes a warm-up of fifteen, after which as many of everything go as come: pods and Jobs
linger for ten after their end, the bus remembers message ids for fifteen. The bus holds in memory
the block of each stream that it is writing: up to 8 MB, and then it begins another. So every other
message is long, and a stream is through a block in two or three minutes: with short ones it takes
more than an hour, in which memory grows and then falls. Little is kept, too, so that what is kept
at the most is reached before the time begins: the streams are small, and what the session store
keeps for days is taken for that old when it is minutes old (see `ageing`). Neither streams nor
tables may then be larger in the last quarter than in the first; what takes longer to be full than
the warm-up lasts is named, and not judged. Memory is judged by a line through all samples: what
grows by more an hour than the bound, beyond chance, is a leak.

The machine is not judged: where a program that has nothing to do with us takes more processor time
in the last quarter than in the first, our answers may take as much longer. And the system's home
is in memory, where there is such a folder: writes to a disk may take
half a second now and then, and ten such moments are a quarter's p99. So what is judged is whether
the programs slow down, and not how the disk fares under them; for that give another folder.
"""

import argparse
import asyncio
import math
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import aiohttp

from sympozium.contract.limits import RUN_LINGERS
from sympozium_local.apiserver.garbage import EVENT_LIFETIME
from sympozium_local.system.home import Home
from tests.bench.ageing import keeping_little
from tests.bench.bot import a_bot
from tests.bench.cpu import cpu_by_program
from tests.bench.main_job import running
from tests.bench.reference import reference_s
from tests.bench.sizes import Taken, disk_mb, programs, rows, sample
from tests.bench.steady import SCRIPT, Answered, Load
from tests.bench.trend import BLOCKS, Trend, trend
from tests.fixtures.chat import Person
from tests.fixtures.embedded_system import EmbeddedSystem
from tests.fixtures.system import ScriptedModel, scriptable_model

QUARTERS = 4
SAMPLE_EVERY_S = 5.0

MB_PER_HOUR = 18.0
"""So fast a program's memory may grow, chance left out: some of what grows levels off later."""

KEPT_RATIO = 1.15
KEPT_SLACK_MB = 2.0
KEPT_SLACK_COUNT = 50
STREAM_SLACK_MB = 8.0
"""What is kept may be so much more in the last quarter than in the first, or more by so much.

It goes by portions: a stream by half of it and by blocks of 8 MB, a database's log when it is
written back.
"""

KEPT_FOR = 1 / 3
"""The share of the warm-up for which the session store keeps something."""

FULL_AFTER_S = {
    "logs": math.inf,
    "objects events": EVENT_LIFETIME.total_seconds(),
    "API server": RUN_LINGERS.total_seconds(),
    "pods": RUN_LINGERS.total_seconds(),
}
"""When something has the size that it keeps, where it is known by name."""

KEEPS = {"SYMPOZIUM_RUNS_KEEP_SUCCESSFUL": "20", "SYMPOZIUM_RUNS_KEEP_FAILED": "20"}
"""Beside those that ended within the last minutes, which stay however many they are."""

SWEPT_AFTER_S = 120.0
"""What may go goes so much later: it is gathered for a minute, and then there are many."""

FILES_SLACK = 20
"""So many open files, or threads, more than in the first quarter are what the load needs now."""

P99_RATIO = 1.10
P99_SLACK_S = 0.03
"""The last quarter's p99 may be a tenth over the first one's, or over it by so much."""

IN_MEMORY = Path("/dev/shm")
"""A file system in memory. Source: Linux, Documentation/filesystems/tmpfs.rst."""


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Attributes:
        rate: Messages a second.
        folder: Where the system keeps everything.
        stream_mb: How much each stream of the bus keeps.
    """

    minutes: float
    warm_up_s: float
    rate: float
    folder: Path
    stream_mb: float


class Memory(NamedTuple):
    """What a program had at a time, on the clock of the bench."""

    at_s: float
    mb: float


@dataclass(frozen=True)
class Quarter:
    """What was measured in one quarter of the time.

    Attributes:
        began: When, on the clock of `answered`. Times are those of messages asked since: between
            two quarters objects and rows are counted, which holds up everybody.
        taken: What each program took, on the average.
        memory: Every sample of it.
        cpu_s: Processor time that each used.
        reference_s: Processor time that the same work took, on the average; see `reference`.
        disk: Sizes in MB, on the average.
        rows: Numbers of objects and rows at its end.
    """

    began: float
    answered: list[Answered]
    taken: Mapping[str, Taken]
    memory: Mapping[str, list[Memory]]
    cpu_s: Mapping[str, float]
    reference_s: float
    disk: Mapping[str, float]
    rows: Mapping[str, int]

    @property
    def lost(self) -> int:
        """How many messages had no answer."""
        return sum(one.took_s is None for one in self.answered)

    def percentile(self, part: float) -> float:
        """Return how long the answers took of which a *part* came sooner."""
        asked = (one for one in self.answered if one.asked_at >= self.began)
        ordered = sorted(one.took_s for one in asked if one.took_s is not None)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


async def measure_quarter(system: EmbeddedSystem, load: Load, seconds: float) -> Quarter:
    """Sample for *seconds*."""
    found = programs(system)
    samples: dict[str, list[Taken]] = {name: [] for name in found}
    memory: dict[str, list[Memory]] = {name: [] for name in found}
    sizes: dict[str, list[float]] = {}
    home = Home(system.home)
    references: list[float] = []
    before = await asyncio.to_thread(cpu_by_program, system)
    first, began = len(load.answered), time.monotonic()
    end = began + seconds
    while (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(SAMPLE_EVERY_S, left))
        for name, taken in (await asyncio.to_thread(sample, found)).items():
            samples[name].append(taken)
            memory[name].append(Memory(time.monotonic(), taken.rss_mb))
        for name, mb in (await asyncio.to_thread(disk_mb, home)).items():
            sizes.setdefault(name, []).append(mb)
        references.append(await asyncio.to_thread(reference_s))
    after = await asyncio.to_thread(cpu_by_program, system)
    return Quarter(
        began,
        load.answered[first:],
        {name: _average(all_) for name, all_ in samples.items() if all_},
        memory,
        {name: spent_s - before.get(name, 0.0) for name, spent_s in after.items()},
        mean(references),
        {name: mean(all_) for name, all_ in sizes.items()},
        await asyncio.to_thread(rows, home),
    )


def _average(all_: list[Taken]) -> Taken:
    return Taken(
        mean(one.rss_mb for one in all_),
        round(mean(one.files for one in all_)),
        round(mean(one.threads for one in all_)),
    )


def problems(quarters: list[Quarter], wish: Wish) -> list[str]:
    """Return which bounds are broken."""
    first, last = quarters[0], quarters[-1]
    found = [f"{one.lost} messages had no answer" for one in quarters if one.lost]
    slower = last.reference_s / first.reference_s
    p99, limit = last.percentile(0.99), first.percentile(0.99) * slower
    if p99 > max(limit * P99_RATIO, limit + P99_SLACK_S):
        found.append(
            f"p99 of the last quarter is {p99:.3f} s, of the first {first.percentile(0.99):.3f} s "
            f"on a machine {slower:.2f} times as slow in the last"
        )
    for name, taken in last.taken.items():
        before = first.taken.get(name)
        if before is None:
            found.append(f"{name} was started anew")
            continue
        if taken.files > before.files + FILES_SLACK or taken.threads > before.threads + FILES_SLACK:
            found.append(f"{name} holds more open files or threads than before")
    return [*found, *leaks(quarters), *grown(quarters, wish)]


def leaks(quarters: list[Quarter]) -> list[str]:
    """Return whose memory grows faster than the bound."""
    return [
        f"{name} grows by {slope.per_hour:.0f} MB an hour, by {slope.certain:.0f} for certain"
        for name, slope in slopes(quarters).items()
        if slope.certain > MB_PER_HOUR
    ]


def slopes(quarters: list[Quarter]) -> dict[str, Trend]:
    """Return how fast the memory of each program grows that was there all the time."""
    samples = {
        name: [one for quarter in quarters for one in quarter.memory.get(name, [])]
        for name in quarters[0].memory
    }
    return {name: trend(all_) for name, all_ in samples.items() if len(all_) >= 2 * BLOCKS}


def grown(quarters: list[Quarter], wish: Wish) -> list[str]:
    """Return of what more was kept in the last quarter than in the first, and than may be."""
    first, last = quarters[0], quarters[-1]
    pairs = [
        *((name, first.disk.get(name, 0.0), mb, _slack_mb(name)) for name, mb in last.disk.items()),
        *((name, first.rows.get(name, 0), n, KEPT_SLACK_COUNT) for name, n in last.rows.items()),
    ]
    return [
        f"{name} grew from {before:g} to {after:g}"
        for name, before, after, slack in pairs
        if full_after_s(name, wish) <= wish.warm_up_s
        and after > max(before * KEPT_RATIO, before + slack)
    ]


def _slack_mb(name: str) -> float:
    return STREAM_SLACK_MB if name.startswith("stream ") else KEPT_SLACK_MB


def full_after_s(name: str, wish: Wish) -> float:
    """Return after how many seconds something has the size that it keeps."""
    if name.startswith("stream "):
        return 0.0  # it is as small as is asked for, and the size itself is printed
    if name.startswith("rows ") or name == "session store":
        return wish.warm_up_s * KEPT_FOR
    return FULL_AFTER_S.get(name, RUN_LINGERS.total_seconds()) + SWEPT_AFTER_S


def not_judged(quarters: list[Quarter], wish: Wish) -> list[str]:
    """Return the names of what grew and takes longer to be full than the warm-up lasts."""
    first, last = ({**one.disk, **one.rows} for one in (quarters[0], quarters[-1]))
    return [
        name
        for name, size in last.items()
        if size > first.get(name, 0.0) and full_after_s(name, wish) > wish.warm_up_s
    ]


def show(quarters: list[Quarter]) -> None:
    """Print everything that was measured, a column for each quarter."""
    _line("", [f"quarter {number + 1}" for number in range(len(quarters))])
    _line("messages answered", [f"{len(one.answered) - one.lost}" for one in quarters])
    _line("messages without an answer", [f"{one.lost}" for one in quarters])
    for name, part in (("p50", 0.5), ("p99", 0.99)):
        _line(f"{name}, ms", [f"{one.percentile(part) * 1000:.0f}" for one in quarters])
    _line("the machine's reference, ms", [f"{one.reference_s * 1000:.0f}" for one in quarters])
    _section(quarters, "memory, MB", lambda one: {n: f"{t.rss_mb:.1f}" for n, t in _taken(one)})
    for name, slope in slopes(quarters).items():
        print(f"memory, MB an hour: {name:<24}{slope.per_hour:>12.1f} +- {slope.error:.1f}")
    _section(
        quarters,
        "ms of a processor, a message",
        lambda one: {
            name: f"{spent_s * 1000 / max(len(one.answered), 1):.1f}"
            for name, spent_s in one.cpu_s.items()
        },
    )
    _section(
        quarters,
        "files and threads",
        lambda one: {n: f"{t.files} {t.threads}" for n, t in _taken(one)},
    )
    _section(quarters, "on disk, MB", lambda one: {n: f"{mb:.1f}" for n, mb in one.disk.items()})
    _section(quarters, "number of", lambda one: {n: str(count) for n, count in one.rows.items()})


def _taken(quarter: Quarter) -> list[tuple[str, Taken]]:
    return list(quarter.taken.items())


def _section(
    quarters: list[Quarter], title: str, cells_of: Callable[[Quarter], dict[str, str]]
) -> None:
    columns = [cells_of(one) for one in quarters]
    for name in dict.fromkeys(name for column in columns for name in column):
        _line(f"{title}: {name}", [column.get(name, "-") for column in columns])


def _line(name: str, cells: list[str]) -> None:
    print(f"{name:<44}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


async def soak(model_url: str, model_port: int, wish: Wish) -> list[str]:
    """Load a system for so long, print what was measured, and return the bounds that broke."""
    timeout = aiohttp.ClientTimeout(total=60)
    connector = aiohttp.TCPConnector(limit=0)
    quarter_s = wish.minutes * 60 / QUARTERS
    with running(model_url, KEEPS) as system:
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
            a_bot(system) as driver,
        ):
            model = ScriptedModel(f"http://127.0.0.1:{model_port}", session)
            await model.script(*SCRIPT)
            kept_s, stream_bytes = wish.warm_up_s * KEPT_FOR, round(wish.stream_mb * 1e6)
            little = keeping_little(Home(system.home), for_s=kept_s, stream_bytes=stream_bytes)
            load = Load(Person(session, system.url), driver, wish.rate)
            async with little, asyncio.TaskGroup() as group:
                over = asyncio.Event()
                group.create_task(load.run(over))
                await asyncio.sleep(wish.warm_up_s)
                quarters = [await measure_quarter(system, load, quarter_s) for _ in range(QUARTERS)]
                over.set()
    print(
        f"soak: {wish.minutes:g} minutes after {wish.warm_up_s:g} s of warm-up, "
        f"{wish.rate:g} messages/s, the web channel and one bot, all kept in {wish.folder}; "
        f"streams of {wish.stream_mb:g} MB, rows kept for {wish.warm_up_s * KEPT_FOR:g} s"
    )
    show(quarters)
    print("grew, and not full so soon: " + (", ".join(not_judged(quarters, wish)) or "-"))
    return problems(quarters, wish)


def main() -> None:
    """Read the arguments, soak, and say whether the bounds held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--warm-up", type=float, default=900.0, help="seconds before them")
    parser.add_argument("--rate", type=float, default=3.0, help="messages a second")
    parser.add_argument(
        "--folder",
        type=Path,
        default=IN_MEMORY if IN_MEMORY.is_dir() else Path(tempfile.gettempdir()),
        help="below which the system keeps everything; as a rule in memory",
    )
    parser.add_argument("--stream-mb", type=float, default=16.0, help="kept by each stream")
    asked = parser.parse_args()
    tempfile.tempdir = str(asked.folder)
    with tempfile.TemporaryDirectory() as directory, scriptable_model(Path(directory)) as port:
        url = f"http://127.0.0.1:{port}/v1"
        wish = Wish(asked.minutes, asked.warm_up, asked.rate, asked.folder, asked.stream_mb)
        broken = asyncio.run(soak(url, port, wish))
    memory = f"memory {MB_PER_HOUR:g} MB an hour beyond chance"
    kept = f"what is kept x{KEPT_RATIO} or {KEPT_SLACK_MB:g} MB or {KEPT_SLACK_COUNT}"
    p99 = f"p99 x{P99_RATIO} or {P99_SLACK_S * 1000:.0f} ms, and as slow as the machine"
    print(f"bounds ({memory}; {kept}; {p99}): " + ("; ".join(broken) or "held"))
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
