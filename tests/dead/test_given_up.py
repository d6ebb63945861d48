import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from typing_extensions import override

from sympozium.bus.nats import NatsBus
from sympozium.contract.limits import MAX_ATTEMPTS
from sympozium.contract.messages import InboundMessage, OutboundKind
from sympozium.contract.subjects import inbox
from sympozium.kube.errors import UnavailableError
from sympozium_router.inbox.letters import Letter
from sympozium_router.inbox.reception import Reception
from tests.dead.letters import FATAL, letters, routing_until_it_dies
from tests.router.routed import CHANNEL, NAMESPACE, World, routing, until

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


async def test_a_message_that_every_router_dies_of_is_set_aside_told_and_holds_nobody_up(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        fatal = await world.say("1", FATAL)
        behind = await world.say("2")
        deaths = 0
        while not world.shown.ends(fatal):
            async with routing_until_it_dies(world) as death, asyncio.TaskGroup() as group:
                dying = group.create_task(death.wait())
                told = group.create_task(world.shown.end_of(fatal))
                await asyncio.wait({dying, told}, return_when=asyncio.FIRST_COMPLETED)
                deaths += death.is_set()
                dying.cancel()
                told.cancel()
        async with world.router():
            await world.answer(behind, "hi")
            await world.shown.end_of(behind)
            await until(lambda: letters(bus))
            ((letter, data),) = await letters(bus)
    (end,) = world.shown.ends(fatal)
    assert (end.kind, end.error and end.error.code) == (OutboundKind.ERROR, "SetAside")
    assert [choice.label for choice in end.choices] == ["Retry"]
    assert MAX_ATTEMPTS - 1 <= deaths <= MAX_ATTEMPTS
    assert letter.attempts == MAX_ATTEMPTS
    assert FATAL.encode() in data
    assert world.shown.ends(behind)[0].text == "hi"


class Away(Reception):
    """Cannot reach the API server."""

    tried: asyncio.Event

    @override
    async def give(self, letter: Letter, inbound: InboundMessage) -> None:
        """Say so, and be seen to have tried."""
        self.tried.set()
        raise UnavailableError("cannot reach the API server")


async def test_a_message_is_not_given_up_because_routers_end_while_something_is_away(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        message_id = await world.say("1")
        for _ in range(2 * MAX_ATTEMPTS):
            Away.tried = asyncio.Event()
            async with routing(world, reception_type=Away):
                await Away.tried.wait()
        async with world.router():
            await world.answer(message_id, "at last")
            end = await world.shown.end_of(message_id)
        assert await letters(bus) == []
    assert end.text == "at last"


async def test_a_message_that_cannot_be_read_is_refused_where_it_was_written(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    payload = {"messageId": "m1", "conversation": "c", "replyTo": "there", "text": 7}
    envelope = {"id": "m1", "time": "2026-01-02T03:04:05Z", "payload": payload}
    async with open_world() as world, world.router():
        data = json.dumps(envelope).encode()
        await bus.publish(inbox(NAMESPACE, CHANNEL), data, message_id="raw")
        end = await world.shown.end_of("m1")
    assert (end.reply_to, end.error and end.error.code) == ("there", "MessageUnreadable")


async def test_a_message_as_long_as_the_bus_takes_holds_up_nobody_in_its_conversation(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world, world.router():
        room = bus.client.max_payload - 360
        long = [
            await world.say("1", "hello", reply_to="x" * room),
            await world.say("2", "x" * room),
            await world.say("3", "hello", quoted="x" * room),
        ]
        behind = await world.say("4", "hello")
        ends = [await world.shown.end_of(one) for one in long]
        await world.answer(behind, "hi")
        end = await world.shown.end_of(behind)
    assert [one.error and one.error.code for one in ends] == ["MessageUnreadable"] * 3
    assert end.text == "hi"
