"""Whoever writes while a part of the system is away is told that the message waits."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.contract.envelope import decode
from sympozium.contract.messages import Sender
from sympozium.contract.queued import TOLD_AFTER, Queued
from sympozium.contract.subjects import queued
from sympozium.testing.postgresql import PostgresqlServer
from sympozium_router.inbox import delays
from tests.fixtures.postgresql import new_database
from tests.router.routed import CHANNEL, NAMESPACE, World, a_world, until
from tests.router.test_postgresql import answering, killed

pytestmark = pytest.mark.timeout(60)

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delays, "TOLD_AFTER", timedelta(seconds=0.3))
    monkeypatch.setattr(delays, "TELL_AGAIN_AFTER_S", 0.5)


@asynccontextmanager
async def hearing(bus: NatsBus) -> AsyncIterator[list[str]]:
    """Yield the ids of the messages of which the channel hears that they wait."""
    heard: list[str] = []

    async def hear() -> None:
        async with bus.listen(queued(NAMESPACE, CHANNEL)) as said:
            async for _, data in said:
                heard.append(decode(data, Queued).message_id)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(hear())
        yield heard
        task.cancel()


async def test_while_the_api_server_is_away_the_channel_is_told_after_5_s(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world, world.router(), hearing(bus) as heard:
        await world.api.stop()
        said_at = monotonic()
        asked = await world.say("meanwhile", conversation="d")

        async def is_told() -> bool:
            return asked in heard

        await until(is_told)
        assert monotonic() - said_at >= TOLD_AFTER.total_seconds()
        assert heard == [asked]
        await world.api.start()
        await world.answer(asked, "here I am")
        await world.shown.end_of(asked)


@pytest.mark.usefixtures("_soon")
async def test_while_the_session_store_is_away_the_channel_is_told_again_and_again(
    tmp_path: Path, bus: NatsBus, own_postgresql: PostgresqlServer
) -> None:
    url = await new_database(own_postgresql)
    async with a_world(tmp_path, bus, url) as world, world.router(), hearing(bus) as heard:
        async with killed(own_postgresql, url):
            first = await world.say("1", conversation="a")
            second = await world.say("2", conversation="b")

            async def are_told_twice() -> bool:
                return heard.count(first) > 1 and heard.count(second) > 1

            await until(are_told_twice)
        async with answering(world):
            for one in (first, second):
                await world.shown.end_of(one)


@pytest.mark.usefixtures("_soon")
async def test_who_may_not_speak_or_did_not_call_the_bot_is_told_nothing(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    stranger = Sender(platform="web", user_id="eve")
    async with open_world() as world:
        await world.set_channel(access={"users": ["ada"]})
        async with world.router(), hearing(bus) as heard:
            await world.api.stop()
            await world.say("1", conversation="a", sender=stranger)
            await world.say("2", conversation="b", addressed=False)
            asked = await world.say("3", conversation="c")

            async def is_told_twice() -> bool:  # by then the others were looked at too
                return heard.count(asked) > 1

            await until(is_told_twice)
            assert set(heard) == {asked}
