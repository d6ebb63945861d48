import asyncio

import pytest

from sympozium.bus.admin import ensure_consumer
from sympozium.bus.nats import NatsBus
from sympozium.bus.reclaim import reclaim
from sympozium.contract.subjects import outbox_consumer

CONSUMER = outbox_consumer("default", "web")
SUBJECT = CONSUMER.subject
SOON_S = 15.0
"""Far less than the time to redelivery of that consumer."""


@pytest.fixture(autouse=True)
async def reader(bus: NatsBus) -> None:
    """Have the bus know the consumer."""
    await ensure_consumer(bus.client, CONSUMER)


async def test_what_a_dead_reader_held_comes_again_at_once(bus: NatsBus) -> None:
    for number in range(4):
        await bus.publish(SUBJECT, b"%d" % number, message_id=str(number))
    async with bus.consume(CONSUMER) as deliveries:
        held = [await anext(deliveries) for _ in range(4)]
        await held[1].ack()
    await reclaim(bus.client, CONSUMER)
    async with asyncio.timeout(SOON_S), bus.consume(CONSUMER) as deliveries:
        again = [await anext(deliveries) for _ in range(3)]
    assert [(one.data, one.attempt) for one in again] == [(b"0", 2), (b"2", 2), (b"3", 2)]


async def test_where_nothing_is_held_nothing_comes_again(bus: NatsBus) -> None:
    await bus.publish(SUBJECT, b"done", message_id="1")
    async with bus.consume(CONSUMER) as deliveries:
        await (await anext(deliveries)).ack()
    await bus.client.flush()
    await reclaim(bus.client, CONSUMER)
    await bus.publish(SUBJECT, b"barrier", message_id="2")
    async with asyncio.timeout(SOON_S), bus.consume(CONSUMER) as deliveries:
        following = await anext(deliveries)
    assert (following.data, following.attempt) == (b"barrier", 1)


async def test_what_was_handed_back_may_be_handed_back_again(bus: NatsBus) -> None:
    await bus.publish(SUBJECT, b"a", message_id="1")
    async with bus.consume(CONSUMER) as deliveries:
        await anext(deliveries)
    await reclaim(bus.client, CONSUMER)
    await reclaim(bus.client, CONSUMER)
    await bus.publish(SUBJECT, b"barrier", message_id="2")
    async with asyncio.timeout(SOON_S), bus.consume(CONSUMER) as deliveries:
        seen = [(await anext(deliveries)).data for _ in range(2)]
    assert sorted(seen) == [b"a", b"barrier"]
