"""The bus is slow, away, or reached in one direction only: what Slack hears of it."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from sympozium.bus.admin import ensure_bus
from sympozium.bus.nats import PUBLISH_TIMEOUT_S, NatsBus, connect
from sympozium.testing.channels.driver import Spot, Where
from sympozium.testing.channels.stage import Stage
from sympozium_slack.http_mode import STORE_TIMEOUT_S
from tests.bus.test_room import shrunk
from tests.fixtures.behind import behind_a_proxy
from tests.fixtures.tcp_proxy import Way
from tests.platforms.slack.delivery import ACK_WITHIN_S, signed
from tests.slack.test_http import direct, posted
from tests.slack.test_sockets import server_of

pytestmark = pytest.mark.timeout(90)
LATENCY_S = 5.0
TIMES_REFUSED = 4
"""As often as Slack brings an event; each time stands for minutes in which the bus is away."""


def operator(stage: Stage) -> AbstractAsyncContextManager[NatsBus]:
    """Return a connection of whoever runs the bus."""
    return connect(stage.nats.address("operator"))


async def brought_until_taken(stage: Stage, body: bytes) -> None:
    """Bring an event again until it is taken, as Slack does."""
    while (await posted(stage, body, signed(body)))[0] != 200:  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(0.2)


def test_slack_is_answered_before_it_gives_up_and_after_the_bus_had_its_time() -> None:
    assert PUBLISH_TIMEOUT_S < STORE_TIMEOUT_S < ACK_WITHIN_S


async def test_an_event_that_takes_too_long_to_store_is_refused_in_time_and_is_one_message(
    own_http: Stage, tmp_path: Path
) -> None:
    where, event = direct(own_http, "slowly")
    body = json.dumps(event).encode()
    async with behind_a_proxy(own_http, tmp_path) as proxy:
        proxy.delay_s = LATENCY_S
        async with asyncio.timeout(2 * LATENCY_S):  # before the bus can have confirmed it
            assert (await posted(own_http, body, signed(body)))[0] == 503
        assert (await own_http.heard(where)).text == "slowly"  # it was stored all the same
        proxy.delay_s = 0
        await brought_until_taken(own_http, body)
        _, barrier = await own_http.asks("ada", where, "barrier")
    assert barrier.text == "barrier"


async def test_no_event_is_confirmed_to_slack_however_long_the_bus_is_away(
    own_http: Stage,
) -> None:
    where, event = direct(own_http, "is anybody there?")
    body = json.dumps(event).encode()
    own_http.nats.kill()
    answers = [(await posted(own_http, body, signed(body)))[0] for _ in range(TIMES_REFUSED)]
    assert answers == [503] * TIMES_REFUSED
    await own_http.nats.start()
    await brought_until_taken(own_http, body)
    assert (await own_http.heard(where)).text == "is anybody there?"


@pytest.mark.parametrize("way", Way)
async def test_no_event_is_confirmed_while_the_bus_is_cut_off_in_one_direction(
    own_http: Stage, tmp_path: Path, way: Way
) -> None:
    where, event = direct(own_http, "one way")
    body = json.dumps(event).encode()
    async with behind_a_proxy(own_http, tmp_path) as proxy:
        proxy.hold(way)
        assert (await posted(own_http, body, signed(body)))[0] == 503
        proxy.mend()
        await brought_until_taken(own_http, body)
        assert (await own_http.heard(where)).text == "one way"
        _, barrier = await own_http.asks("ada", where, "barrier")
    assert barrier.text == "barrier"


async def test_what_was_said_while_all_sockets_were_down_is_read_from_the_history(
    own: Stage,
) -> None:
    told = server_of(own).delivery
    here = Where(Spot.DIRECT, "cut off")
    await own.asks("ada", here, "before")
    told.is_lossy = True  # what Slack has tried to bring for long enough does not come again
    server_of(own).refuses_sockets = "internal_error"
    await told.cut()
    await own.driver.says("ada", here, "meanwhile")
    server_of(own).refuses_sockets = ""
    assert (await own.heard(here)).text == "meanwhile"
    told.is_lossy = False
    _, after = await own.asks("ada", here, "after")
    assert after.text == "after"


@pytest.mark.parametrize("heard_before", [True, False])
async def test_who_writes_to_the_bot_for_the_first_time_while_all_sockets_are_down_is_heard(
    own: Stage, heard_before: bool
) -> None:
    told = server_of(own).delivery
    if heard_before:
        await own.asks("ada", own.somewhere(), "before")
    told.is_lossy = True
    server_of(own).refuses_sockets = "internal_error"
    await told.cut()
    here = Where(Spot.DIRECT, "new here")
    await own.driver.says("bob", here, "meanwhile")
    server_of(own).refuses_sockets = ""
    assert (await own.heard(here)).text == "meanwhile"


async def test_what_slack_gave_up_bringing_while_there_was_no_room_is_read_from_the_history(
    own: Stage,
) -> None:
    told = server_of(own).delivery
    told.retries_s, told.ack_within_s = (0.05, 0.05, 0.05), 0.3
    here, there = Where(Spot.DIRECT, "here"), own.somewhere()
    said, _ = await own.asks("ada", there, "before")
    async with operator(own) as bus:
        await shrunk(bus, size_bytes=1)
        await own.driver.says("ada", here, "meanwhile")
        thread = Where(there.spot, there.name, said)
        await own.driver.says("ada", thread, "in the thread", mention=True)
        await told.idle()
        assert set(own.driver.counts.accepted) == {said}
        await ensure_bus(bus.client)
    assert (await own.heard(here)).text == "meanwhile"
    assert (await own.heard(there)).text == "in the thread"


async def test_an_event_for_which_there_is_no_room_is_refused_and_taken_when_there_is(
    own_http: Stage,
) -> None:
    where, event = direct(own_http, "no room")
    body = json.dumps(event).encode()
    async with operator(own_http) as bus:
        await shrunk(bus, size_bytes=1)
        assert (await posted(own_http, body, signed(body)))[0] == 503
        await ensure_bus(bus.client)
    await brought_until_taken(own_http, body)
    assert (await own_http.heard(where)).text == "no room"
