"""A disk on which the bus can store no more: its files may not grow, or there is no room left."""

import asyncio
import resource
from contextlib import suppress
from dataclasses import dataclass

from tests.fault.faults.processes import Restart
from tests.fault.plant import Plant


@dataclass(frozen=True)
class Full:
    """No file of the bus may grow; then each may again, and the bus is restarted."""

    for_s: float

    async def inject(self, plant: Plant) -> None:
        """Let no file of it grow for a while."""
        pids = await plant.pids.of("bus")
        try:
            for pid in pids:
                _limit(pid, 1)
            await asyncio.sleep(self.for_s)
        finally:
            for pid in pids:
                _limit(pid, resource.RLIM_INFINITY)
        await Restart("bus").inject(plant)


@dataclass(frozen=True)
class Fill:
    """The disk of the bus has no room left; then it has, and the bus is restarted.

    Where this machine has no user namespaces there is no such disk, and that is said.
    """

    for_s: float

    async def inject(self, plant: Plant) -> None:
        """Leave no room on it for a while.

        Raises:
            RuntimeError: The bus has no disk of its own.
        """
        disk = plant.disk
        if disk is None:
            raise RuntimeError("cannot fill the disk of the bus: it has none of its own")
        async with plant.locks["disk"]:
            try:
                await asyncio.to_thread(disk.fill)
                await asyncio.sleep(self.for_s)
            finally:
                disk.resize(disk.size)
        await Restart("bus").inject(plant)


def _limit(pid: int, size_bytes: int) -> None:
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))
