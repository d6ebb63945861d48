"""Programs that stop at a sync point, while another one takes over, and then go on there."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sympozium.runtime.sync_points import Point
from tests.fault.arming import PAUSED
from tests.fault.plant import Plant
from tests.fault.run_points import PROGRAMS, Mine
from tests.fixtures.locks import holder

PATIENCE_S = 15.0
"""How long somebody is awaited at a point."""

POLL_S = 0.05
LET_GO_S = 30.0


@dataclass(frozen=True)
class Pause:
    """A program stops when it next comes to a sync point, and goes on from there after a while.

    Of what runs in runs' pods, whoever is the first to come there.
    """

    point: Point
    for_s: float

    async def inject(self, plant: Plant) -> None:
        """Wait a while for somebody to come there, and keep them there for so long."""
        hold = held_in_a_run if self.point.program in PROGRAMS else held
        async with plant.locks[f"{self.point} pauses"], hold(plant, self.point) as is_held:
            if is_held:
                await asyncio.sleep(self.for_s)


@asynccontextmanager
async def held(
    plant: Plant, point: Point, *, patience_s: float = PATIENCE_S
) -> AsyncIterator[bool]:
    """Have the next who comes to a point stop there while the block lasts.

    It begins when somebody has, or with False when nobody did for so long.
    """
    marker = plant.marker(point, PAUSED)
    try:
        marker.unlink(missing_ok=True)
        yield await _comes(plant, point, marker.exists, patience_s)
    finally:
        with suppress(FileExistsError):
            marker.touch(exist_ok=False)
        await _let_go(marker)


@asynccontextmanager
async def held_in_a_run(
    plant: Plant, point: Point, *, patience_s: float = PATIENCE_S
) -> AsyncIterator[bool]:
    """Have the first in a run's pod who comes to a point stop there; see `held`."""
    mine = Mine(plant.home, point, PAUSED)

    def is_stepped_on() -> bool:
        mine.lay()
        return mine.was_stepped_on()

    try:
        yield await _comes(plant, point, is_stepped_on, patience_s)
    finally:
        for marker in mine.take_up():
            await _let_go(marker)


async def _comes(
    plant: Plant, point: Point, is_there: Callable[[], bool], patience_s: float
) -> bool:
    """Return whether somebody came to a point in time."""
    try:
        async with asyncio.timeout(patience_s):
            while not is_there():  # noqa: ASYNC110 - another program makes a marker
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        return False
    plant.hit.append(point)
    return True


async def _let_go(marker: Path) -> None:
    """Have whoever stopped go on; who has only just come there is yet to stop."""
    async with asyncio.timeout(LET_GO_S):
        while (pid := holder(marker)) is not None:
            with suppress(ProcessLookupError):  # it was killed meanwhile
                os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(POLL_S)
