"""Ten thousand messages that nobody should have written, among good ones; a thousand in short."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.contract.dead_letters import read_headers
from sympozium.contract.envelope import unwrap, wrap
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import InboundMessage, OutboundKind, OutboundMessage
from sympozium.contract.names import ConversationId, MessageId
from sympozium.contract.subjects import (
    DEAD,
    INBOX,
    OUTBOX,
    dead,
    inbox,
    inbox_consumer,
    outbox,
)
from sympozium_router.inbox.letters import read_letter
from tests.chat.stage import CHANNEL as TALK
from tests.chat.stage import asked, stage
from tests.chat.stand_in import StandIn
from tests.fixtures.memory import resident_bytes
from tests.fuzz.mutations import mutations
from tests.router.routed import ADA, CHANNEL, NAMESPACE, Shown, World, a_world

BAD = int(os.environ.get("FUZZ_EXAMPLES", "1000"))
ROUND = 1000
"""What is written before it is looked at: all that was set aside of it is still kept then."""

GOOD_EVERY = 20
MAX_GROWTH_BYTES = 200 * 1024 * 1024
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

Digests = Counter[bytes]


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


@dataclass
class Expected:
    """Which hostile messages are set aside.

    Attributes:
        must: Those that cannot be handled.
        may: Those that cannot either, under the id of an earlier one: where that was taken, they
            are its repetition, whatever they say.
    """

    must: Counter[bytes] = field(default_factory=Counter)
    may: Counter[bytes] = field(default_factory=Counter)

    def note(self, data: bytes, known: set[MessageId]) -> None:
        """Count a message, and note its id among those that are *known*."""
        letter = read_letter(inbox(NAMESPACE, CHANNEL), 1, data)
        id_ = letter.inbound.message_id if letter.inbound else None
        if letter.inbound is None or letter.problem:
            (self.may if id_ in known else self.must)[digest(data)] += 1
        if id_ is not None:
            known.add(id_)


def is_no_outbound(data: bytes) -> bool:
    try:
        unwrap(data, OutboundMessage)
    except PermanentError:
        return True
    return False


def rounds(seed: int, good: Callable[[int], bytes]) -> Iterator[list[tuple[int, bytes]]]:
    """Yield all hostile messages with their numbers, as many at a time as are kept."""
    made = enumerate(mutations(seed, BAD, good))
    while some := list(islice(made, ROUND)):
        yield some


def digest(data: bytes) -> bytes:
    return sha256(data).digest()


class Graves:
    """What is set aside under a subject, told of once."""

    def __init__(self, bus: NatsBus, subject: str) -> None:
        self._bus = bus
        self._subject = subject
        self._since = 1

    async def new(self) -> AsyncIterator[tuple[str, bytes]]:
        """Yield the reason and the message of each letter that was not there before."""
        while stored := await self._bus.next(DEAD, self._subject, since=self._since):
            self._since = stored.sequence + 1
            yield read_headers(stored.subject, stored.headers).reason, stored.data


async def handled(bus: NatsBus) -> None:
    """Return when the router is done with all that is in INBOX."""
    last = await bus.last(INBOX, inbox(NAMESPACE, CHANNEL))
    assert last is not None
    while (await bus.state(inbox_consumer(NAMESPACE))).acknowledged < last.sequence:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def all_ended(ids: list[str]) -> Callable[[Shown], bool]:
    return lambda shown: all(map(shown.ends, ids))


async def written(
    world: World, some: list[tuple[int, bytes]], known: set[MessageId]
) -> tuple[Expected, list[str]]:
    """Write hostile messages and good ones; return what is to be set aside, and the good ids."""
    bad, good = Expected(), list[str]()
    for number, data in some:
        await world.bus.publish(inbox(NAMESPACE, CHANNEL), data, message_id=f"raw-{number}")
        bad.note(data, known)
        if number % GOOD_EVERY == 0:
            good.append(await world.say(str(number), "hi", conversation=f"c{number % 3}"))
    return bad, good


@pytest.mark.timeout(1200)
async def test_hostile_messages_in_inbox_cost_no_good_one_its_answer(
    tmp_path: Path, bus: NatsBus
) -> None:
    graves = Graves(bus, dead(INBOX, NAMESPACE, CHANNEL))
    before, count, known = resident_bytes(), 0, set[MessageId]()
    async with a_world(tmp_path, bus) as world, world.router(), asyncio.TaskGroup() as group:
        agents = group.create_task(world.answer_every_run())
        for some in rounds(1, inbound):
            bad, good = await written(world, some, known)
            await world.shown.until(all_ended(good))
            await handled(bus)
            for one in good:
                assert [end.text for end in world.shown.ends(one)] == ["re: hi"]
            kept = Digests()
            async for reason, data in graves.new():
                assert reason.startswith("cannot handle the message: ")
                kept[digest(data)] += 1
            assert bad.must <= kept <= bad.must + bad.may
            count += bad.must.total()
        agents.cancel()
    assert count > BAD // 2
    assert resident_bytes() - before < MAX_GROWTH_BYTES


@pytest.mark.timeout(1200)
async def test_hostile_messages_in_outbox_cost_no_answer_its_reader(bus: NatsBus) -> None:
    platform = StandIn()
    graves = Graves(bus, dead(OUTBOX, NAMESPACE, TALK))
    before, count, settled = resident_bytes(), 0, 0
    async with stage(bus, platform) as channel:
        for some in rounds(2, outbound):
            bad, good = Digests(), list[str]()
            for number, data in some:
                await bus.publish(outbox(NAMESPACE, TALK), data, message_id=f"raw-{number}")
                bad[digest(data)] += is_no_outbound(data)
                if number % GOOD_EVERY == 0:
                    good.append(f"answer {number}")
                    await channel.finish(asked(f"m{number}", f"good-{number}"), good[-1])
            settled += len(some) + len(good)
            await channel.settled(settled)
            kept = Digests()
            async for reason, data in graves.new():
                assert reason
                kept[digest(data)] += 1
            assert +bad <= kept
            shown = Counter(platform.texts())
            assert [text for text in good if shown[text] != 1] == []
            count += bad.total()
    assert count > BAD // 2
    assert resident_bytes() - before < MAX_GROWTH_BYTES
