"""The lines of namespaces in INBOX: where they begin, and when they go."""

import asyncio
from collections.abc import Sequence

import pytest

from sympozium.bus.admin import ensure_consumer
from sympozium.bus.lines import delete_empty_line, ensure_line, lines
from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import NoConsumerError
from sympozium.bus.room import make_room
from sympozium.contract.subjects import (
    EARLIER_INBOX_CONSUMER,
    INBOX,
    Consumer,
    inbox,
    inbox_consumer,
)

WAIT_S = 15.0
TEAM = "team"
LINE = inbox_consumer(TEAM)


async def say(bus: NatsBus, *numbers: int, namespace: str = TEAM) -> None:
    """Hand in messages of a namespace."""
    for number in numbers:
        body = b"%d" % number
        await bus.publish(inbox(namespace, "web"), body, message_id=f"{namespace}-{number}")


async def take(bus: NatsBus, count: int, consumer: Consumer = LINE) -> list[int]:
    """Take and settle so many messages, and return when the server knows it."""
    taken = []
    async with asyncio.timeout(WAIT_S), bus.consume(consumer, batch=1) as deliveries:
        for _ in range(count):
            delivery = await anext(deliveries)
            taken.append(int(delivery.data))
            await delivery.ack()
        await bus.client.flush()
        while (await bus.state(consumer)).acknowledged < delivery.sequence:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return taken


async def came(bus: NatsBus, *, until: int) -> list[int]:
    """Return what comes in the line, up to a message that is there."""
    found: list[int] = []
    async with asyncio.timeout(WAIT_S), bus.consume(LINE) as deliveries:
        while until not in found:
            found.append(int((await anext(deliveries)).data))
    return found


async def test_a_line_begins_with_the_oldest_message_of_its_namespace(bus: NatsBus) -> None:
    await say(bus, 1, 2)
    await say(bus, 3, namespace="other")
    await ensure_line(bus.client, TEAM)
    await ensure_line(bus.client, TEAM)
    assert await came(bus, until=2) == [1, 2]
    assert sorted(await lines(bus.client)) == ["default", TEAM]


async def test_a_line_begins_behind_what_an_earlier_version_has_settled(bus: NatsBus) -> None:
    await ensure_consumer(bus.client, EARLIER_INBOX_CONSUMER)
    await say(bus, 1, 2, 3)
    await take(bus, 2, EARLIER_INBOX_CONSUMER)
    await ensure_line(bus.client, TEAM)
    state = await bus.state(LINE)
    assert (state.acknowledged, state.delivered) == (2, 2)
    assert await came(bus, until=3) == [3]


async def test_what_an_earlier_version_held_and_did_not_settle_comes(bus: NatsBus) -> None:
    await ensure_consumer(bus.client, EARLIER_INBOX_CONSUMER)
    await say(bus, 1, 2, 3)
    async with asyncio.timeout(WAIT_S), bus.consume(EARLIER_INBOX_CONSUMER) as deliveries:
        first, held, third = [await anext(deliveries) for _ in range(3)]
        await first.ack()
        await third.ack()
        await bus.client.flush()
        while (await bus.state(EARLIER_INBOX_CONSUMER)).acknowledged < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await ensure_line(bus.client, TEAM)
    assert held.sequence == 2
    assert await came(bus, until=3) == [2, 3]


async def test_a_line_that_was_left_behind_by_an_earlier_version_is_made_anew(
    bus: NatsBus,
) -> None:
    await ensure_consumer(bus.client, EARLIER_INBOX_CONSUMER)
    await ensure_line(bus.client, TEAM)
    await say(bus, 1)
    await take(bus, 1)
    await say(bus, 2, 3)
    await take(bus, 3, EARLIER_INBOX_CONSUMER)  # after a rollback
    await say(bus, 4)
    await ensure_line(bus.client, TEAM)
    assert await came(bus, until=4) == [4]


async def test_a_line_with_messages_in_hand_is_left_as_it_is(bus: NatsBus) -> None:
    await ensure_consumer(bus.client, EARLIER_INBOX_CONSUMER)
    await ensure_line(bus.client, TEAM)
    await say(bus, 1, 2)
    async with asyncio.timeout(WAIT_S), bus.consume(LINE, batch=1) as deliveries:
        held = await anext(deliveries)
        await take(bus, 2, EARLIER_INBOX_CONSUMER)
        await ensure_line(bus.client, TEAM)
        assert (await bus.state(LINE)).acknowledged < held.sequence


async def test_a_line_stays_while_anything_of_its_namespace_is_kept(bus: NatsBus) -> None:
    await ensure_line(bus.client, TEAM)
    await say(bus, 1, 2)
    await say(bus, 3, namespace="other")
    await take(bus, 2)
    assert not await delete_empty_line(bus.client, TEAM)
    await say(bus, 4)
    await ensure_line(bus.client, TEAM)
    assert await came(bus, until=4) == [4]


async def test_a_line_in_which_nothing_is_left_goes_and_one_that_is_gone_is_no_harm(
    bus: NatsBus,
) -> None:
    await say(bus, 3, namespace="other")
    await ensure_line(bus.client, TEAM)
    assert await delete_empty_line(bus.client, TEAM)
    assert not await delete_empty_line(bus.client, TEAM)
    with pytest.raises(NoConsumerError):
        await bus.state(LINE)
    await say(bus, 4)
    await ensure_line(bus.client, TEAM)
    assert await came(bus, until=4) == [4]


async def shrunk(bus: NatsBus) -> None:
    """Make INBOX so small that what it has is nearly too much."""
    info = await bus.client.jetstream().stream_info(INBOX)
    info.config.max_bytes = info.state.bytes + 100
    await bus.client.jetstream().update_stream(info.config)


async def kept(bus: NatsBus, sequences: Sequence[int]) -> list[int]:
    return [one for one in sequences if await bus.at(INBOX, one) is not None]


async def test_room_is_made_by_what_each_namespace_has_settled_whatever_others_hold(
    bus: NatsBus,
) -> None:
    await ensure_consumer(bus.client, EARLIER_INBOX_CONSUMER)
    await ensure_line(bus.client, TEAM)
    await say(bus, 1, namespace="default")
    await say(bus, 2, 3, 4, 5)
    await take(bus, 4)
    await shrunk(bus)
    assert await make_room(bus.client) == 2
    assert await kept(bus, range(1, 6)) == [1, 4, 5]
