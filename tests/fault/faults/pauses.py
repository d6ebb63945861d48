"""Programs that stop at a sync point, while another one takes over, and then go on there."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sympozium.runtime.sync_points import Point
from tests.fault.arming import PAUSED
from tests.fault.plant import LIVE, Plant
from tests.fixtures.locks import holder

PATIENCE_S = 15.0
"""How long somebody is awaited at a point."""

POLL_S = 0.05
LET_GO_S = 30.0


@dataclass(frozen=True)
class Pause:
    """A program stops when it next comes to a sync point, and goes on from there after a while.

    Raises:
        ValueError: What comes to the point lives no longer than a run.
    """

    point: Point
    for_s: float

    def __post_init__(self) -> None:
        """Refuse what is over before it can be stopped."""
        if self.point.program not in LIVE:
            programs = ", ".join(LIVE)
            raise ValueError(
                f"cannot pause {self.point.value!r}: only {programs} pause at a point; "
                f"use `die {self.point.value}` or `stop {self.point.program} SECONDS`"
            )

    async def inject(self, plant: Plant) -> None:
        """Wait a while for somebody to come there, and keep them there for so long."""
        async with plant.locks[f"{self.point} pauses"], held(plant, self.point) as is_held:
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
        yield await _somebody_comes(plant, point, patience_s)
    finally:
        with suppress(FileExistsError):
            marker.touch(exist_ok=False)
        await _let_go(marker)


async def _somebody_comes(plant: Plant, point: Point, patience_s: float) -> bool:
    marker = plant.marker(point, PAUSED)
    try:
        async with asyncio.timeout(patience_s):
            while not marker.exists():  # noqa: ASYNC110 - another program makes it
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
