"""The bus is slow, away, or reached in one direction only: what Slack hears of it."""

import asyncio
import json
from pathlib import Path

import pytest

from sympozium.bus.admin import ensure_bus
from sympozium.bus.nats import Address, connect
from sympozium.contract.subjects import reply_prefix
from sympozium.testing.channels.driver import Spot, Where
from sympozium.testing.channels.stage import Stage
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


async def brought_until_taken(stage: Stage, body: bytes) -> None:
    """Bring an event again until it is taken, as Slack does."""
    while (await posted(stage, body, signed(body)))[0] != 200:  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(0.2)


async def test_an_event_that_takes_too_long_to_store_is_refused_in_time_and_is_one_message(
    own_http: Stage, tmp_path: Path
) -> None:
    where, event = direct(own_http, "slowly")
    body = json.dumps(event).encode()
    async with behind_a_proxy(own_http, tmp_path) as proxy:
        proxy.delay_s = LATENCY_S
        async with asyncio.timeout(ACK_WITHIN_S):  # Slack gives up by then and counts a failure
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
    delivery = server_of(own).delivery
    here = Where(Spot.DIRECT, "cut off")
    await own.asks("ada", here, "before")
    delivery.is_lossy = True  # what Slack has tried to bring for long enough does not come again
    server_of(own).refuses_sockets = "internal_error"
    await delivery.cut()
    await own.driver.says("ada", here, "meanwhile")
    server_of(own).refuses_sockets = ""
    assert (await own.heard(here)).text == "meanwhile"
    delivery.is_lossy = False
    _, after = await own.asks("ada", here, "after")
    assert after.text == "after"


async def test_an_event_for_which_there_is_no_room_is_refused_and_taken_when_there_is(
    own_http: Stage,
) -> None:
    where, event = direct(own_http, "no room")
    body = json.dumps(event).encode()
    address = Address(own_http.nats.url, "operator", reply_prefix("operator"))
    async with connect(address) as bus:
        await shrunk(bus, size_bytes=1)
        assert (await posted(own_http, body, signed(body)))[0] == 503
        await ensure_bus(bus.client)
    await brought_until_taken(own_http, body)
    assert (await own_http.heard(where)).text == "no room"
