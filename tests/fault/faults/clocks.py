"""Wall clocks that jump."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from tests.fault.clocks import can_step, step
from tests.fault.plant import Plant

MACHINE = "machine"
"""Every program that has one to step. The bus, and what runs in the pods of runs, have not."""


@dataclass(frozen=True)
class Clock:
    """The wall clock of a program, of every bot, or of the machine, jumps, and back after a while.

    Where this machine has no C compiler, nothing jumps, and that is said.
    """

    program: str
    step_s: int
    for_s: float

    async def inject(self, plant: Plant) -> None:
        """Have it jump.

        Raises:
            RuntimeError: Clocks cannot be stepped on this machine.
        """
        if not can_step():
            raise RuntimeError("cannot step a clock: there is no C compiler 'cc'; install one")
        names = plant.clocks if self.program == MACHINE else (self.program,)
        async with AsyncExitStack() as stack:
            for name in sorted(names):
                await stack.enter_async_context(plant.locks[f"{name} clock"])
            try:
                for name in names:
                    step(plant.clocks[name], self.step_s)
                await asyncio.sleep(self.for_s)
            finally:
                for name in names:
                    step(plant.clocks[name], 0)
