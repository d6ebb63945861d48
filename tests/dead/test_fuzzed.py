"""A thousand messages that nobody should have written, among good ones."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.contract.envelope import unwrap, wrap
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import InboundMessage, OutboundKind, OutboundMessage
from sympozium.contract.names import ConversationId, MessageId
from sympozium.contract.subjects import (
    INBOX,
    INBOX_CONSUMER,
    OUTBOX,
    dead,
    inbox,
    outbox,
)
from sympozium_router.inbox.letters import read_letter
from tests.chat.stage import CHANNEL as TALK
from tests.chat.stage import asked, stage
from tests.chat.stand_in import StandIn
from tests.dead.letters import letters_under
from tests.dead.mutations import mutations
from tests.router.routed import ADA, CHANNEL, NAMESPACE, World

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]

BAD = 1000
GOOD_EVERY = 20
MAX_GROWTH_BYTES = 200 * 1024 * 1024
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def inbound(number: int) -> bytes:
    message = InboundMessage(
        message_id=MessageId(f"fuzz-{number}"),
        conversation=ConversationId(f"fuzz-{number % 7}"),
        sender=ADA,
        text="hello",
        time=NOW,
        reply_to="there",
    )
    return wrap(message, id=message.message_id, time=NOW)


def outbound(number: int) -> bytes:
    message = OutboundMessage(
        kind=OutboundKind.FINAL,
        message_id=MessageId(f"fuzz-{number}"),
        conversation=ConversationId(f"fuzz-{number}"),
        text="hello",
        reply_to="there",
    )
    return wrap(message, id=message.message_id, time=NOW)


def is_no_message(data: bytes) -> bool:
    letter = read_letter(inbox(NAMESPACE, CHANNEL), 1, data)
    return letter.inbound is None or bool(letter.problem)


def is_no_outbound(data: bytes) -> bool:
    try:
        unwrap(data, OutboundMessage)
    except PermanentError:
        return True
    return False


@pytest.mark.timeout(180)
async def test_a_thousand_hostile_messages_in_inbox_cost_no_good_one_its_answer(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    bad = [data for data in mutations(1, BAD, inbound) if is_no_message(data)]
    assert len(bad) > BAD // 2
    before = resident_bytes()
    async with open_world() as world, world.router(), asyncio.TaskGroup() as group:
        agents = group.create_task(world.answer_every_run())
        good = []
        for number, data in enumerate(mutations(1, BAD, inbound)):
            await bus.publish(inbox(NAMESPACE, CHANNEL), data, message_id=f"raw-{number}")
            if number % GOOD_EVERY == 0:
                good.append(await world.say(str(number), "hi", conversation=f"c{number % 3}"))
        last = await bus.last(INBOX, inbox(NAMESPACE, CHANNEL))
        assert last is not None
        await world.shown.until(lambda shown: all(shown.ends(one) for one in good))
        while (await bus.state(INBOX_CONSUMER)).acknowledged < last.sequence:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        agents.cancel()
        ends = {one: world.shown.ends(one) for one in good}
        kept = await letters_under(bus, dead(INBOX, NAMESPACE, CHANNEL))
    assert all(end.text == "re: hi" for (end,) in ends.values())
    assert Counter(data for _, data in kept) == Counter(bad)
    assert all(letter.reason.startswith("cannot handle the message: ") for letter, _ in kept)
    assert resident_bytes() - before < MAX_GROWTH_BYTES


@pytest.mark.timeout(180)
async def test_a_thousand_hostile_messages_in_outbox_cost_no_answer_its_reader(
    bus: NatsBus,
) -> None:
    platform = StandIn()
    before = resident_bytes()
    bad = []
    async with stage(bus, platform) as channel:
        good = []
        for number, data in enumerate(mutations(2, BAD, outbound)):
            await bus.publish(outbox(NAMESPACE, TALK), data, message_id=f"raw-{number}")
            bad += [data] if is_no_outbound(data) else []
            if number % GOOD_EVERY == 0:
                good.append(f"answer {number}")
                await channel.finish(asked(f"m{number}", f"good-{number}"), good[-1])
        await channel.settled(BAD + len(good))
        kept = await letters_under(bus, dead(OUTBOX, NAMESPACE, TALK))
    assert len(bad) > BAD // 2
    assert [text for text in good if platform.texts().count(text) != 1] == []
    assert Counter(bad) <= Counter(data for _, data in kept)
    assert all(letter.reason for letter, _ in kept)
    assert resident_bytes() - before < MAX_GROWTH_BYTES
