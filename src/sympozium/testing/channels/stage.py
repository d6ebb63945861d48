"""One channel between a stand-in platform and a bus, for one scenario or for many."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sympozium.bus.admin import ensure_bus, ensure_consumer
from sympozium.bus.nats import connect
from sympozium.chat.platform import Mark
from sympozium.contract.messages import InboundMessage
from sympozium.contract.subjects import outbox_consumer
from sympozium.testing.channels.backstage import PATIENCE_S, Backstage, backstage
from sympozium.testing.channels.driver import Driver, MakeDriver, Seen, Spot, Where
from sympozium.testing.channels.program import Program
from sympozium.testing.nats_server import NatsServer

NAMESPACE = "default"
CHANNEL = "stage"

SAY_EVERY_S = 0.3
LOOK_EVERY_S = 1.0
"""How often is looked even if the driver tells of no change."""


@dataclass
class Stage:
    """Everything that a scenario needs. Made by `stage`."""

    driver: Driver
    backstage: Backstage
    program: Program
    nats: NatsServer

    def somewhere(self, *, direct: bool = False) -> Where:
        """Return a place that nobody has been in: a channel where there are some."""
        spots = self.driver.traits.spots
        spot = Spot.DIRECT if direct or Spot.CHANNEL not in spots else Spot.CHANNEL
        return Where(spot, name=f"p{uuid.uuid4().hex[:10]}")

    async def asks(
        self, person: str, where: Where, text: str = "which pods run here?"
    ) -> tuple[str, InboundMessage]:
        """Write to the bot, and return the message's id at the platform and what was stored."""
        mention = where.spot is Spot.CHANNEL
        said = await self.driver.says(person, where, text, mention=mention)
        return said, await self.heard(where)

    async def heard(self, where: Where) -> InboundMessage:
        """Return the next message stored from the chat of *where*."""
        return await self.backstage.heard(self.driver.chat_id(where))

    async def sees(
        self, where: Where, is_right: Callable[[list[Seen]], bool], what: str
    ) -> list[Seen]:
        """Return what is seen in a place as soon as it is right.

        Raises:
            AssertionError: It is not in time; with what is seen instead.
        """
        await self._until(lambda: is_right(self.driver.seen(where)), what, where)
        return self.driver.seen(where)

    async def sees_once(self, where: Where, text: str) -> Seen:
        """Return the one message in a place that has *text*."""
        found = await self.sees(
            where, lambda seen: sum(text in one.text for one in seen) == 1, f"{text!r} once"
        )
        return next(one for one in found if text in one.text)

    async def sees_live(self, where: Where, text: str, say: Callable[[], Awaitable[None]]) -> None:
        """Return when *text* is seen, which a run says live.

        It is said again until then: what is said live before a channel listens is lost.
        """
        async with asyncio.TaskGroup() as group:
            saying = group.create_task(_say_again(say))
            await self.sees_once(where, text)
            saying.cancel()

    async def marked(self, said: str, mark: Mark) -> None:
        """Return when the reaction on a person's message says *mark*."""
        if self.driver.capabilities.can_mark:
            await self._until(lambda: self.driver.mark(said) is mark, f"the mark {mark}", None)

    async def _until(self, is_right: Callable[[], bool], what: str, where: Where | None) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not is_right():
                    await self._changed()
        except TimeoutError:
            seen = self.driver.seen(where) if where else []
            raise AssertionError(
                f"did not see {what}; seen: {seen}\n{self.program.log[-3000:]}"
            ) from None

    async def _changed(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self.driver.changed()
        except TimeoutError:
            return


async def _say_again(say: Callable[[], Awaitable[None]]) -> None:
    while True:
        await say()
        await asyncio.sleep(SAY_EVERY_S)


@asynccontextmanager
async def stage(make_driver: MakeDriver, directory: Path) -> AsyncIterator[Stage]:
    """Yield a channel that runs and is ready, between its platform and a bus of its own."""
    nats = NatsServer(directory)
    await nats.start()
    try:
        address = nats.address("router")
        async with connect(address) as bus, make_driver() as driver:
            await ensure_bus(bus.client)
            await ensure_consumer(bus.client, outbox_consumer(NAMESPACE, CHANNEL))
            env = {
                "SYMPOZIUM_CHANNEL_NAMESPACE": NAMESPACE,
                "SYMPOZIUM_CHANNEL_NAME": CHANNEL,
                "SYMPOZIUM_NATS_URL": nats.url,
                **driver.env,
            }
            program = Program(driver.module, env, directory / "channel.log")
            async with backstage(bus, NAMESPACE, CHANNEL) as behind:
                try:
                    await program.start()
                    yield Stage(driver, behind, program, nats)
                finally:
                    program.kill()
    finally:
        nats.kill()
