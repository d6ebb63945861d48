"""What a program that administers the bus is told when the bus says nothing."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from nats.aio.client import Client

from sympozium.bus.admin import channel_consumers, delete_consumer, ensure_bus, ensure_consumer
from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import BusUnavailableError
from sympozium.bus.room import make_room
from sympozium.contract.subjects import Consumer, outbox_consumer
from tests.fixtures.nats_server import NatsServer

CONSUMER = outbox_consumer("default", "web")
WAIT_S = 20.0

Asks = Callable[[Client], Awaitable[object]]


@pytest.mark.parametrize(
    "ask",
    [
        channel_consumers,
        make_room,
        lambda client: ensure_consumer(client, CONSUMER),
        lambda client: delete_consumer(client, CONSUMER),
        lambda client: ensure_bus(client, patience_s=0),
    ],
    ids=["list", "make_room", "ensure", "delete", "ensure_all"],
)
async def test_a_bus_that_says_nothing_is_told_as_one_that_is_away(
    bus: NatsBus, nats_server: NatsServer, ask: Asks
) -> None:
    await ensure_consumer(bus.client, CONSUMER)
    nats_server.pause()
    try:
        with pytest.raises(BusUnavailableError):
            await ask(bus.client)
    finally:
        nats_server.resume()


async def test_a_consumer_that_is_not_there_is_deleted_without_a_word(bus: NatsBus) -> None:
    await delete_consumer(bus.client, CONSUMER)
    await ensure_consumer(bus.client, CONSUMER)
    assert await channel_consumers(bus.client) == [CONSUMER.name]
    await delete_consumer(bus.client, CONSUMER)
    await delete_consumer(bus.client, CONSUMER)
    assert await channel_consumers(bus.client) == []


async def test_what_was_shown_does_not_come_to_a_channel_that_is_made_anew(bus: NatsBus) -> None:
    other = outbox_consumer("default", "other")
    for consumer in (CONSUMER, other):
        await ensure_consumer(bus.client, consumer)
        for number in range(3):
            id_ = f"{consumer.name}-{number}"
            await bus.publish(consumer.subject, b"%d" % number, message_id=id_)
    async with bus.consume(CONSUMER) as deliveries:
        for _ in range(2):
            await (await anext(deliveries)).ack()
        await bus.client.flush()
        async with asyncio.timeout(WAIT_S):
            while (await bus.state(CONSUMER)).acknowledged < 2:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)
    await delete_consumer(bus.client, CONSUMER)
    assert await came(bus, CONSUMER, 1) == [b"2"]
    assert await came(bus, other, 3) == [b"0", b"1", b"2"]


async def came(bus: NatsBus, consumer: Consumer, count: int) -> list[bytes]:
    """Return what comes to a consumer, which is made if it is not there."""
    await ensure_consumer(bus.client, consumer)
    async with bus.consume(consumer) as deliveries, asyncio.timeout(WAIT_S):
        return [(await anext(deliveries)).data for _ in range(count)]
