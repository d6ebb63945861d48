"""An INBOX full of what was handled takes what is new; one full of what waits does not."""

from pathlib import Path

import nats.errors
import pytest

from sympozium.bus.admin import ensure_bus, ensure_consumer
from sympozium.bus.nats import Address, NatsBus, connect
from sympozium.bus.ports import BusFullError
from sympozium.bus.room import make_room
from sympozium.bus.server import ServerAccess, new_issuer, server_config
from sympozium.contract.subjects import (
    INBOX,
    OUTBOX,
    RUNS,
    Consumer,
    inbox,
    inbox_consumer,
    outbox_consumer,
    reply_prefix,
)
from tests.fixtures.nats_server import NatsServer

SUBJECT = inbox("default", "web")
SIZE_BYTES = 64 * 1024
BODY = b"x" * 1000
LINE = inbox_consumer("default")


async def shrunk(bus: NatsBus, stream: str = INBOX, *, size_bytes: int = SIZE_BYTES) -> None:
    """Make a stream so small that a test can fill it, or that nothing fits."""
    config = (await bus.client.jetstream().stream_info(stream)).config
    config.max_bytes = size_bytes
    await bus.client.jetstream().update_stream(config)


async def filled(bus: NatsBus) -> int:
    """Publish until INBOX refuses; return how many it took."""
    for number in range(1000):
        try:
            await bus.publish(SUBJECT, BODY, message_id=str(number))
        except BusFullError:
            return number
    raise AssertionError("it takes everything")


async def settle(bus: NatsBus, count: int, consumer: Consumer = LINE) -> None:
    """Handle so many messages, as a router or a channel does."""
    async with bus.consume(consumer) as deliveries:
        for _ in range(count):
            await (await anext(deliveries)).ack()
    await bus.client.flush()


async def test_what_was_handled_makes_room_for_what_is_new(bus: NatsBus) -> None:
    await shrunk(bus)
    count = await filled(bus)
    await settle(bus, count)
    assert await make_room(bus.client) == count // 2
    await bus.publish(SUBJECT, BODY, message_id="new")


async def test_what_waits_for_a_router_stays_though_nothing_more_fits(bus: NatsBus) -> None:
    await shrunk(bus)
    count = await filled(bus)
    await settle(bus, 3)
    assert await make_room(bus.client) == 3
    assert await make_room(bus.client) == 0
    async with bus.consume(LINE) as deliveries:
        waiting = [(await anext(deliveries)).sequence for _ in range(count - 3)]
    assert waiting == list(range(4, count + 1))


async def test_answers_that_were_shown_make_room_and_those_that_wait_for_a_channel_stay(
    bus: NatsBus,
) -> None:
    shown, waiting = outbox_consumer("a", "bot"), outbox_consumer("b", "bot")
    for consumer in (shown, waiting):
        await ensure_consumer(bus.client, consumer)
    await shrunk(bus, OUTBOX)
    await bus.publish(waiting.subject, BODY, message_id="first of all")
    for number in range(50):
        await bus.publish(shown.subject, BODY, message_id=str(number))
    await settle(bus, 50, shown)
    assert await make_room(bus.client) == 25
    for number in range(50, 70):  # more than there was room for
        await bus.publish(shown.subject, BODY, message_id=str(number))
    kept = await bus.last(OUTBOX, waiting.subject)
    assert kept is not None
    assert kept.sequence == 1


async def test_an_inbox_with_room_keeps_its_record(bus: NatsBus) -> None:
    await bus.publish(SUBJECT, BODY, message_id="1")
    await settle(bus, 1)
    assert await make_room(bus.client) == 0
    assert await bus.at(INBOX, 1) is not None


async def test_the_controller_may_make_room_where_it_does_and_nowhere_else(tmp_path: Path) -> None:
    access = ServerAccess(new_issuer().public_key, "controller", "a-password")
    server = NatsServer(tmp_path)
    server.config = server_config(access, port=server.port, data_dir=tmp_path)
    me = reply_prefix("controller")
    address = Address(server.url, "controller", me, user="controller", password="a-password")
    try:
        await server.start()
        async with connect(address) as admin:
            await ensure_bus(admin.client)
            stream = admin.client.jetstream(timeout=1)
            for name in (INBOX, OUTBOX):
                assert await stream.purge_stream(name)
            with pytest.raises(nats.errors.TimeoutError):
                await stream.purge_stream(RUNS)
    finally:
        server.kill()
