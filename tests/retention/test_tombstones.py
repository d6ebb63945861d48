"""A message that comes again is known, however long it took, as long as it can come."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

from sympozium.bus.nats import NatsBus
from sympozium.contract.names import ConversationId
from sympozium.contract.subjects import inbox_consumer
from sympozium.store.ports import Conversation
from sympozium_router.outbox.published import FORGOTTEN_AFTER, Published
from sympozium_router.upkeep import Pruning
from tests.router.routed import CHANNEL, NAMESPACE, World, until

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]
KEEP = timedelta(days=2)
CONVERSATION = Conversation(NAMESPACE, CHANNEL, ConversationId("c"))
LINE = inbox_consumer(NAMESPACE)


async def test_what_the_bus_may_deliver_again_stays_known_after_days_without_a_router(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        world.now = datetime.now(UTC) - timedelta(days=3)
        asked = await world.say("1")
        async with bus.consume(LINE) as deliveries:  # and is killed before it settles
            delivery = await anext(deliveries)
            async with world.router():
                await world.answer(asked, "it is this")
                await world.shown.end_of(asked)
            world.now = None
            pruning = Pruning(bus, world.store, KEEP, world.clock)
            assert await pruning.prune(asyncio.Event()) == 0
            await delivery.ack()
        await until_settled(bus, 1)
        assert await pruning.prune(asyncio.Event()) == 1


async def test_settled_messages_are_forgotten_by_age_alone(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        world.now = datetime.now(UTC) - timedelta(days=3)
        async with world.router():
            first, second = await world.say("1"), await world.say("2", conversation="other")
            for message in (first, second):
                await world.answer(message, "it is this")
                await world.shown.end_of(message)
            await until_settled(bus, 2)
        assert await Pruning(bus, world.store, KEEP, world.clock).prune(asyncio.Event()) == 0
        world.now = None
        assert await Pruning(bus, world.store, KEEP, world.clock).prune(asyncio.Event()) == 2


async def test_ends_that_were_read_after_an_outage_are_let_go(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        async with world.router():
            asked = await world.say("1")
            await world.answer(asked, "it is this")
            await world.shown.end_of(asked)
        (message,) = await world.store.transcript(CONVERSATION, limit=1)
        published, later = Published(bus), datetime.now(UTC) + timedelta(minutes=20)
        assert await published.sequence(message, now=later) == message.outbox_sequence
        published.forget(now=later)
        assert published.is_holding
        published.forget(now=later + 2 * FORGOTTEN_AFTER)
        assert not published.is_holding
        assert await published.sequence(message, now=later) == message.outbox_sequence


async def until_settled(bus: NatsBus, sequence: int) -> None:
    """Return when everything up to *sequence* is acknowledged."""

    async def is_settled() -> bool:
        return (await bus.state(LINE)).acknowledged >= sequence

    await until(is_settled)
