"""Connections between two programs that are refused, broken, slow, or deaf in one direction."""

import asyncio
from dataclasses import dataclass

from tests.fault.plant import Plant
from tests.fixtures.tcp_proxy import Way


@dataclass(frozen=True)
class Refuse:
    """Nobody can connect, and who was connected is not any more."""

    pair: str
    for_s: float

    async def inject(self, plant: Plant) -> None:
        """Close the door for a while."""
        async with plant.pair(self.pair) as proxy:
            await proxy.stop()
            try:
                await asyncio.sleep(self.for_s)
            finally:
                await proxy.start()


@dataclass(frozen=True)
class Reset:
    """Every connection breaks; new ones are taken."""

    pair: str

    async def inject(self, plant: Plant) -> None:
        """Break them."""
        async with plant.pair(self.pair) as proxy:
            proxy.reset()


@dataclass(frozen=True)
class Slow:
    """Everything arrives later."""

    pair: str
    delay_s: float
    for_s: float

    async def inject(self, plant: Plant) -> None:
        """Delay what passes for a while."""
        async with plant.pair(self.pair) as proxy:
            proxy.delay_s = self.delay_s
            try:
                await asyncio.sleep(self.for_s)
            finally:
                proxy.delay_s = 0.0


@dataclass(frozen=True)
class Deaf:
    """Nothing arrives in one direction, *way*, or in `both`; nobody is told so."""

    pair: str
    way: str
    for_s: float

    async def inject(self, plant: Plant) -> None:
        """Hold what is sent for a while."""
        async with plant.pair(self.pair) as proxy:
            proxy.hold(*(Way if self.way == "both" else (Way(self.way),)))
            try:
                await asyncio.sleep(self.for_s)
            finally:
                proxy.mend()
