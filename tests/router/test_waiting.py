"""What a router tells the controller before that lets a channel go."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from typing_extensions import override

from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import TransientError
from sympozium.contract.waiting import WaitingAnswer, WaitingRequest
from sympozium_controller.runs.waiters import Waiters
from sympozium_router.desk.waiting import Waiting
from tests.router.routed import CHANNEL, NAMESPACE, World

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


async def test_somebody_is_at_a_channel_until_the_end_of_each_message_is_published(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        waiters = Waiters(world.bus.client)
        assert not await waiters.is_anyone_at(NAMESPACE, CHANNEL)
        first, second = await world.say("1"), await world.say("2", conversation="d")
        await world.run_of(first)
        await world.run_of(second)
        assert await waiters.is_anyone_at(NAMESPACE, CHANNEL)
        assert not await waiters.is_anyone_at("other", CHANNEL)
        assert not await waiters.is_anyone_at(NAMESPACE, "other")
        await world.answer(first, "it is this")
        await world.shown.end_of(first)
        assert await waiters.is_anyone_at(NAMESPACE, CHANNEL)
        await world.answer(second, "it is that")
        await world.shown.end_of(second)
        while await waiters.is_anyone_at(NAMESPACE, CHANNEL):
            pass  # what was published is noted a moment later


async def test_somebody_is_at_a_channel_whose_message_no_router_has_dealt_with(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        await world.say("1")
        async with Waiting(world.bus, world.bus, world.store).responding():
            assert await Waiters(world.bus.client).is_anyone_at(NAMESPACE, CHANNEL)


async def test_nothing_is_known_where_no_router_says_it(open_world: OpenWorld) -> None:
    async with open_world() as world:
        with pytest.raises(TransientError, match="no router is there"):
            await Waiters(world.bus.client).is_anyone_at(NAMESPACE, CHANNEL)


class OlderWaiting(Waiting):
    """A router's answer as it was before channels could be asked for."""

    @override
    async def answer(self, subject: str, data: bytes) -> bytes:
        del subject, data
        return b'{"waiting":[]}'


async def test_an_older_router_that_says_nothing_of_channels_is_not_taken_for_a_no(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, OlderWaiting(world.bus, world.bus, world.store).responding():
        with pytest.raises(TransientError, match="older version"):
            await Waiters(world.bus.client).is_anyone_at(NAMESPACE, CHANNEL)


async def test_an_older_controller_asks_for_messages_alone(open_world: OpenWorld) -> None:
    async with open_world() as world:
        asked = encode(WaitingRequest(messages=[]))
        assert b"channels" not in asked
        answer = await Waiting(world.bus, world.bus, world.store).answer(
            f"waiting.{NAMESPACE}", asked
        )
        assert decode(answer, WaitingAnswer).open_channels == []
