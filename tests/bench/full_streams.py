"""What a bus server takes whose streams are full: `python -m tests.bench.full_streams`.

RUNS is filled as many short runs fill it, with a subject of its own for each run and for its
mark, and read as the controller reads it. The same server is filled twice, once as it is and
once with a memory limit told to it as the chart tells it, and the memory and the slowest
publishes of both are printed side by side.
"""

import argparse
import asyncio
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sympozium.bus.admin import ensure_bus
from sympozium.bus.nats import Address, NatsBus, connect
from sympozium.contract.names import RunUid
from sympozium.contract.subjects import (
    RUNS,
    RUNS_CONSUMER,
    controller_mark,
    reply_prefix,
    run_in,
    run_out,
)
from tests.bench.sizes import sample
from tests.fixtures.nats_server import NatsServer

RESULT = b"x" * 3000
"""About what one short run leaves in RUNS."""

AT_ONCE = 32
TENTHS = 10


@dataclass
class Filled:
    """What was measured of one server.

    Attributes:
        rss_mb: Memory after each tenth of the runs.
        took_s: How long each publish took.
    """

    rss_mb: list[float] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        """How long the slowest hundredth of publishes took."""
        return sorted(self.took_s)[int(len(self.took_s) * 0.99)] * 1000


async def fill(directory: Path, runs: int, limit: str) -> Filled:
    """Fill a server of its own; *limit* is what it is told of its memory, empty: nothing."""
    server = NatsServer(directory, runner=("env", f"GOMEMLIMIT={limit or 'off'}"))
    server.config = f'listen: "127.0.0.1:{server.port}"\njetstream {{ store_dir: "{directory}" }}\n'
    await server.start()
    try:
        async with connect(Address(server.url, "bench", reply_prefix("bench"))) as bus:
            await ensure_bus(bus.client)
            return await _filled(bus, runs, server.pid)
    finally:
        server.kill()


async def _filled(bus: NatsBus, runs: int, pid: int) -> Filled:
    filled, step = Filled(), max(runs // TENTHS, 1)
    async with asyncio.TaskGroup() as reading:
        reader = reading.create_task(_read(bus))
        for begin in range(0, runs, step):
            numbers = iter(range(begin, min(begin + step, runs)))
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(_run(bus, numbers, filled.took_s))
            filled.rss_mb.append(sample({"bus": [pid]})["bus"].rss_mb)
        reader.cancel()
    return filled


async def _read(bus: NatsBus) -> None:
    async with bus.consume(RUNS_CONSUMER) as deliveries:
        async for delivery in deliveries:
            await delivery.ack()


async def _run(bus: NatsBus, numbers: Iterator[int], took_s: list[float]) -> None:
    """Publish what a run says and its mark, and look for what it was told and for both."""
    for number in numbers:
        uid, mark = RunUid(str(uuid.uuid4())), controller_mark(f"end:{number}")
        for subject, data in ((run_out("default", uid), RESULT), (mark, b"")):
            began = time.perf_counter()
            await bus.publish(subject, data, message_id=subject)
            took_s.append(time.perf_counter() - began)
        for subject in (run_in("default", uid), run_out("default", uid), mark):
            await bus.last(RUNS, subject)


async def _both(runs: int, limit: str) -> tuple[Filled, Filled]:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        return await fill(Path(one), runs, ""), await fill(Path(other), runs, limit)


def main() -> None:
    """Fill both and print them."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.full_streams", description=__doc__)
    parser.add_argument("--runs", type=int, default=150_000)
    parser.add_argument("--limit", default="200MiB", help="GOMEMLIMIT of the second server")
    given = parser.parse_args()
    free, told = asyncio.run(_both(given.runs, given.limit))
    lines = [f"{'runs':>10} {'nothing told':>14} {given.limit:>14} {'ratio':>8}"]
    for number, (one, other) in enumerate(zip(free.rss_mb, told.rss_mb, strict=True), 1):
        runs = given.runs * number // len(free.rss_mb)
        lines.append(f"{runs:>10} {one:>11.0f} MB {other:>11.0f} MB {other / one:>8.2f}")
    ratio = told.p99_ms / free.p99_ms
    lines.append(
        f"{'p99':>10} {free.p99_ms:>11.1f} ms {told.p99_ms:>11.1f} ms {ratio:>8.2f}  a publish"
    )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
