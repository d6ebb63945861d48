"""What a program that administers the bus is told when the bus says nothing."""

from collections.abc import Awaitable, Callable

import pytest
from nats.aio.client import Client

from sympozium.bus.admin import channel_consumers, delete_consumer, ensure_bus, ensure_consumer
from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import BusUnavailableError
from sympozium.bus.room import make_room
from sympozium.contract.subjects import outbox_consumer
from tests.fixtures.nats_server import NatsServer

CONSUMER = outbox_consumer("default", "web")

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
