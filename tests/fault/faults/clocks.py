"""Wall clocks that jump."""

import asyncio
from dataclasses import dataclass

from tests.fault.clocks import STEP_FILE, can_step
from tests.fault.plant import Plant, markers


@dataclass(frozen=True)
class Clock:
    """The wall clock of a program, or of every bot, jumps by *step_s*, and back after a while.

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
        async with plant.locks[f"{self.program} clock"]:
            file = markers(plant.home, self.program) / STEP_FILE
            try:
                file.write_text(f"{self.step_s}\n")
                await asyncio.sleep(self.for_s)
            finally:
                file.unlink(missing_ok=True)
