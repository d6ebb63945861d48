"""Dead letters as a test looks at them, and routers that have trouble with one text."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from typing_extensions import override

from sympozium.bus.nats import NatsBus
from sympozium.contract.dead_letters import DeadLetter, read_headers
from sympozium.contract.messages import InboundMessage
from sympozium.contract.subjects import DEAD, INBOX, dead
from sympozium_router.inbox.letters import Letter
from sympozium_router.inbox.reception import Reception
from tests.router.routed import CHANNEL, NAMESPACE, World, routing

STUMBLE = "stumble"
FATAL = "fatal"


async def letters(bus: NatsBus, stream: str = INBOX) -> list[tuple[DeadLetter, bytes]]:
    """Return the dead letters of the channel, oldest first."""
    return await letters_under(bus, dead(stream, NAMESPACE, CHANNEL))


async def letters_under(bus: NatsBus, subject: str) -> list[tuple[DeadLetter, bytes]]:
    """Return the dead letters that are kept under a subject, oldest first."""
    found, since = list[tuple[DeadLetter, bytes]](), 1
    while stored := await bus.next(DEAD, subject, since=since):
        found.append((read_headers(stored.subject, stored.headers), stored.data))
        since = stored.sequence + 1
    return found


class Stumbling(Reception):
    """Has a bug with one text."""

    @override
    async def give(self, letter: Letter, inbound: InboundMessage) -> None:
        """Handle every other message as usual."""
        if inbound.text == STUMBLE:
            raise ZeroDivisionError
        await super().give(letter, inbound)


class Dying(Reception):
    """Dies of one text: never comes back, and says so to the test, which ends the program."""

    deaths: asyncio.Event

    @override
    async def give(self, letter: Letter, inbound: InboundMessage) -> None:
        """Handle every other message as usual."""
        if inbound.text == FATAL:
            self.deaths.set()
            await asyncio.Event().wait()
        await super().give(letter, inbound)


@asynccontextmanager
async def routing_until_it_dies(world: World) -> AsyncIterator[asyncio.Event]:
    """Run a router that dies of one text, and end it where it stands when the block is left."""
    deaths = asyncio.Event()

    class Mortal(Dying):
        pass

    Mortal.deaths = deaths
    begun = asyncio.Event()

    async def live() -> None:
        async with routing(world, reception_type=Mortal):
            begun.set()
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(live())
        await begun.wait()
        yield deaths
        task.cancel()
