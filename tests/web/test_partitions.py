"""A web channel that is cut off from the bus in one direction, or without a word."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from sympozium.bus.admin import ensure_consumer
from sympozium.bus.nats import NatsBus
from sympozium.contract.subjects import INBOX, outbox_consumer
from tests.fixtures.chat import Person
from tests.fixtures.nats_server import NatsServer
from tests.fixtures.tcp_proxy import TcpProxy, tcp_proxy
from tests.router.test_partitions import CUTS
from tests.web.parts import CHANNEL, NAMESPACE, WebProgram

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
async def test_a_message_is_not_accepted_while_the_bus_is_cut_off_and_is_stored_once_after_it(
    bus: NatsBus,
    nats_server: NatsServer,
    http: aiohttp.ClientSession,
    tmp_path: Path,
    cut: Callable[[TcpProxy], None],
) -> None:
    await ensure_consumer(bus.client, outbox_consumer(NAMESPACE, CHANNEL))
    async with tcp_proxy(nats_server.port) as proxy:
        web = WebProgram(f"nats://127.0.0.1:{proxy.port}", tmp_path / "web.log")
        try:
            await asyncio.to_thread(web.start)
            person = Person(http, web.url)
            await person.say("c", "before", client_id="before")
            cut(proxy)
            assert await person.post("c", {"text": "meanwhile", "id": "meanwhile"}) is None
            proxy.mend()
            await person.say("c", "meanwhile", client_id="meanwhile")
        finally:
            web.kill()
    assert (await bus.client.jetstream().stream_info(INBOX)).state.messages == 2
