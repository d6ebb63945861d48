"""An answer that its channel gave up is shown again when its reader asks for it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

from sympozium.bus.nats import NatsBus
from sympozium.contract.dead_letters import DeadLetter
from sympozium.contract.envelope import wrap
from sympozium.contract.messages import OutboundKind, OutboundMessage
from sympozium.contract.names import ConversationId, MessageId, short_hash
from sympozium.contract.resources import AGENT_RUNS
from sympozium.contract.subjects import OUTBOX, outbox
from sympozium.store.ports import Conversation
from sympozium_router.dead.unshown import find_unshown, send_again
from tests.dead.letters import letters
from tests.router.routed import CHANNEL, NAMESPACE, World
from tests.router.test_admission import EVE

TALK = ConversationId("c")

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


async def give_up(bus: NatsBus, end: OutboundMessage, sequence: int) -> None:
    """Have the channel set an end aside."""
    data = wrap(end, id=f"{end.message_id}/end", time=datetime.now(UTC))
    subject = outbox(NAMESPACE, CHANNEL)
    now = datetime.now(UTC)
    await bus.bury(DeadLetter(OUTBOX, subject, sequence, "why", 1, now, len(data)), data)


async def unshown_answer(world: World) -> MessageId:
    """Have a message answered whose channel cannot show the answer, nor one of another message."""
    other = OutboundMessage(
        kind=OutboundKind.FINAL,
        message_id=MessageId("another"),
        conversation=TALK,
        text="of another message",
    )
    await give_up(world.bus, other, 1)
    asked = await world.say("1")
    await world.answer(asked, "the answer")
    await give_up(world.bus, await world.shown.end_of(asked), 2)
    return asked


async def again(world: World, asked: str) -> list[OutboundMessage]:
    """Return what was published of a message anew, once a message said after it is answered."""
    barrier = await world.command("barrier", "help")
    await world.shown.end_of(barrier)
    return [shown for shown in world.shown.messages if shown.again_for == asked]


async def test_what_was_not_shown_is_sent_again_once_and_worked_on_no_more(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world, world.router():
        asked = await unshown_answer(world)
        pressed = await world.command("p1", "retry", short_hash(asked))
        first = await world.shown.end_of(pressed)
        second = await world.shown.end_of(await world.command("p2", "retry", short_hash(asked)))
        published = await again(world, asked)
        runs = (await world.kube.list(AGENT_RUNS, NAMESPACE)).items
        left = [data for _, data in await letters(bus, OUTBOX)]
    (sent,) = published
    assert (sent.kind, sent.text, sent.conversation) == (OutboundKind.FINAL, "the answer", "c")
    assert sent.message_id != asked
    assert first.kind is OutboundKind.DROPPED
    assert second.text.startswith("This message is being tried again already")
    assert len(runs) == 1
    assert [b"of another message" in data for data in left] == [True]


async def test_what_a_router_sent_that_died_before_it_noted_so_is_sent_once(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world, world.router():
        asked = await unshown_answer(world)
        (row,) = await world.store.transcript(Conversation(NAMESPACE, CHANNEL, TALK), limit=1)
        unshown = await find_unshown(bus, row)
        assert unshown is not None
        await send_again(bus, unshown)
        await world.shown.end_of(await world.command("p", "retry", short_hash(asked)))
        published = await again(world, asked)
        left = await letters(bus, OUTBOX)
    assert (len(published), len(left)) == (1, 1)


async def test_what_cannot_be_shown_a_second_time_can_be_asked_for_again(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world, world.router():
        asked = await unshown_answer(world)
        await world.shown.end_of(await world.command("p1", "retry", short_hash(asked)))
        await world.shown.until(lambda shown: any(one.again_for for one in shown.messages))
        (sent,) = [one for one in world.shown.messages if one.again_for]
        await give_up(bus, sent, 3)
        await world.shown.end_of(await world.command("p2", "retry", short_hash(asked)))
        published = await again(world, asked)
    assert [one.text for one in published] == ["the answer"] * 2
    assert len({one.message_id for one in published}) == 2


async def test_nobody_but_who_asked_has_it_sent_again(open_world: OpenWorld, bus: NatsBus) -> None:
    async with open_world() as world, world.router():
        asked = await unshown_answer(world)
        told = await world.shown.end_of(
            await world.command("p", "retry", short_hash(asked), sender=EVE)
        )
        published = await again(world, asked)
        left = await letters(bus, OUTBOX)
    assert told.text == "Only who wrote a message can have it tried again."
    assert (published, len(left)) == ([], 2)
