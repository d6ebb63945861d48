"""What is said of the channel, and how a platform that refuses the bot is left alone."""

import asyncio
from typing import cast

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.chat.desk import Desk
from sympozium.chat.health import Health
from sympozium.chat.outbox.breaker import Breaker
from sympozium.chat.outbox.standing import CONNECTED, Stand, Standing
from tests.chat.direct_line import DirectLine
from tests.chat.router_desk import RouterDesk


@pytest.mark.looptime
async def test_what_changes_is_said_once_and_until_it_is_heard() -> None:
    desk = RouterDesk(cast(NatsBus, None))  # of which only files would be read
    async with asyncio.TaskGroup() as group:
        health = Health(lambda: True)
        standing = Standing(Desk(DirectLine(desk), "default", "talk"), health)
        stop = asyncio.Event()
        group.create_task(standing.say_loop(stop))
        health.inbound_is_up()
        await desk.until(lambda: desk.said() == ["Connected"])
        standing.refused("TokenRevoked", "cannot post; make a new token")
        standing.refused("TokenRevoked", "cannot post; make a new token")
        await desk.until(lambda: desk.said() == ["Connected", "TokenRevoked"])
        standing.taken()
        await desk.until(lambda: desk.said() == ["Connected", "TokenRevoked", "Connected"])
        await asyncio.sleep(60.0)
        assert len(desk.reports) == 3
        stop.set()


def test_a_connection_that_comes_back_soon_was_never_away() -> None:
    health = Health(lambda: True)
    standing = Standing(Desk.__new__(Desk), health)
    assert standing.now(0.0) is None
    assert standing.now(21.0) == Stand(
        is_connected=False, reason="Connecting", message="the platform was not reached yet"
    )
    health.inbound_is_up()
    assert standing.now(1.0) == CONNECTED
    health.inbound_is_down("the socket was closed")
    assert standing.now(2.0) is None
    assert standing.now(10.0) is None
    assert standing.now(23.0) == Stand(
        is_connected=False, reason="Disconnected", message="the socket was closed"
    )
    health.inbound_is_up()
    assert standing.now(24.0) == CONNECTED
    health.inbound_is_down("intents are missing", reason="IntentMissing")
    assert standing.now(25.0) is None


@pytest.mark.looptime
async def test_after_a_refusal_one_tries_at_a_time_and_ever_more_rarely() -> None:
    loop, breaker, tried = asyncio.get_running_loop(), Breaker(), list[float]()
    start = loop.time()

    async def call(until_s: float) -> None:
        while loop.time() - start < until_s:
            await breaker.passage()
            tried.append(round(loop.time() - start, 1))
            await asyncio.sleep(0.1)
            breaker.refused()

    breaker.refused()
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(call(100.0))
    within = [moment for moment in tried if moment < 100.0]
    assert within == [5.0, 15.1, 35.2, 75.3]


@pytest.mark.looptime
async def test_one_success_lets_everybody_call() -> None:
    breaker, through = Breaker(), list[int]()
    breaker.refused()

    async def call(number: int) -> None:
        await breaker.passage()
        through.append(number)
        breaker.accepted()

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(call(number))
    assert sorted(through) == list(range(20))
    assert not breaker.is_open
