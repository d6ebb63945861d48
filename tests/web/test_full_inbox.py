"""An INBOX that is full: a person is told so, and what was accepted is there."""

import asyncio

import aiohttp

from sympozium.bus.admin import ensure_bus, ensure_consumer
from sympozium.bus.nats import NatsBus
from sympozium.contract.subjects import INBOX, outbox_consumer
from tests.bus.test_room import filled, shrunk
from tests.fixtures.chat import Person
from tests.web.parts import CHANNEL, NAMESPACE, WebProgram, error_of


async def test_a_full_inbox_is_said_to_be_full_and_takes_the_message_when_it_has_room(
    bus: NatsBus, own_web: WebProgram, http: aiohttp.ClientSession
) -> None:
    await ensure_consumer(bus.client, outbox_consumer(NAMESPACE, CHANNEL))
    await asyncio.to_thread(own_web.start)
    await shrunk(bus)
    accepted = await filled(bus)
    url = f"{own_web.url}/api/conversations/c/messages"
    body = {"text": "x" * 1000, "id": "one"}
    async with http.post(url, json=body) as answer:
        assert answer.status == 503
        assert error_of(await answer.text())["code"] == "inbox_full"
    await ensure_bus(bus.client)  # as large as it is declared to be
    await Person(http, own_web.url).say("c", "x" * 1000, client_id="one")
    info = await bus.client.jetstream().stream_info(INBOX)
    assert info.state.messages == accepted + 1
