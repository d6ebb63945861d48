"""Processes that die, or stop for a while and go on as if nothing had been."""

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass

from sympozium.runtime.sync_points import Point
from tests.fault.pids import all_of
from tests.fault.plant import Plant
from tests.fault.run_points import PROGRAMS, Mine

PATIENCE_S = 15.0
"""How long somebody in a run's pod is awaited at a point."""

POLL_S = 0.02


@dataclass(frozen=True)
class Kill:
    """Every process of a program dies by SIGKILL."""

    program: str

    async def inject(self, plant: Plant) -> None:
        """Kill whoever is there now."""
        for pid in await plant.pids.of(self.program):
            _send(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Restart:
    """A program of the supervisor ends as it is asked to, and is started again."""

    program: str

    async def inject(self, plant: Plant) -> None:
        """Ask it to end."""
        for pid in await plant.pids.of(self.program):
            _send(pid, signal.SIGTERM)


@dataclass(frozen=True)
class Stop:
    """A program stops, with all that it has in its hands, and goes on after a while."""

    program: str
    for_s: float

    async def inject(self, plant: Plant) -> None:
        """Stop it, wait, have it go on."""
        pids = [pid for top in await plant.pids.of(self.program) for pid in all_of(top)]
        try:
            for pid in pids:
                _send(pid, signal.SIGSTOP)
            await asyncio.sleep(self.for_s)
        finally:
            for pid in pids:
                _send(pid, signal.SIGCONT)


@dataclass(frozen=True)
class Die:
    """A program dies when it next comes to a sync point.

    Of what runs in runs' pods, whoever is the first to come there within a while.
    """

    point: Point

    async def inject(self, plant: Plant) -> None:
        """Arm the point; whoever dies there disarms it."""
        if self.point.program in PROGRAMS:
            async with plant.locks[f"{self.point} in runs"]:
                await die_in_a_run(plant, self.point)
            return
        with suppress(FileNotFoundError):
            plant.marker(self.point).unlink()


async def die_in_a_run(plant: Plant, point: Point, *, patience_s: float = PATIENCE_S) -> None:
    """Have the first who comes to a point in the pod of a run, within a while, die there."""
    mine = Mine(plant.home, point)
    try:
        async with asyncio.timeout(patience_s):
            while not mine.was_stepped_on():
                mine.lay()
                await asyncio.sleep(POLL_S)
        plant.hit.append(point)
    except TimeoutError:
        pass
    finally:
        mine.take_up()


def _send(pid: int, what: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it ended by itself
        os.kill(pid, what)
