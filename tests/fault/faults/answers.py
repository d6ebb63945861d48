"""Wrong, late and lost answers of the API server and of the chat platforms."""

import asyncio
from dataclasses import dataclass

from sympozium.testing.channels.driver import Fault as PlatformFault
from tests.fault.api_proxy import READS, WRITES, Rule, Wrong
from tests.fault.plant import Plant

VERBS = {"reads": READS, "writes": WRITES, "all": READS | WRITES}


@dataclass(frozen=True)
class Api:
    """The API server answers a share of a program's requests with what is wrong.

    Attributes:
        wrong: `429`, `500`, `hang` or `lost`.
        verbs: `reads`, `writes` or `all`.
    """

    program: str
    wrong: Wrong
    rate: float
    verbs: str
    for_s: float

    async def inject(self, plant: Plant) -> None:
        """Have it so for a while."""
        async with plant.locks[f"{self.program} asks"]:
            api = plant.apis[self.program]
            api.rule = Rule(self.wrong, self.rate, VERBS[self.verbs])
            try:
                await asyncio.sleep(self.for_s)
            finally:
                api.rule = None


@dataclass(frozen=True)
class Platform:
    """The next calls that show something at a chat platform fail."""

    platform: str
    wrong: PlatformFault
    times: int

    async def inject(self, plant: Plant) -> None:
        """Plan the failures."""
        plant.drivers[self.platform].fail(self.wrong, times=self.times)
