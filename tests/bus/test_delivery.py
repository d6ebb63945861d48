import asyncio
from dataclasses import replace

import pytest

from sympozium.bus import pull
from sympozium.bus.admin import ensure_consumer
from sympozium.bus.nats import NatsBus, connect
from sympozium.bus.ports import BusFullError
from sympozium.contract.subjects import DEAD, INBOX, dead, inbox, inbox_consumer
from tests.fixtures.nats_server import NatsServer
from tests.fixtures.tcp_proxy import tcp_proxy

SUBJECT = inbox("default", "web")
WAIT_S, HANGS_S = 15.0, 60.0
LINE = inbox_consumer("default")


async def test_message_left_unsettled_comes_back_when_retried(bus: NatsBus) -> None:
    await bus.publish(SUBJECT, b"a", message_id="1")
    async with bus.consume(LINE) as deliveries:
        first = await anext(deliveries)
        await first.retry(after_s=0.05)
        again = await anext(deliveries)
    assert (again.data, again.attempt, again.sequence) == (b"a", 2, first.sequence)


async def test_the_same_message_id_is_stored_once(bus: NatsBus) -> None:
    first = await bus.publish(SUBJECT, b"a", message_id="1")
    second = await bus.publish(SUBJECT, b"b", message_id="1")
    assert (first.duplicate, second.duplicate, second.sequence) == (False, True, first.sequence)
    stored = await bus.at(INBOX, first.sequence)
    assert stored is not None
    assert stored.data == b"a"


async def test_discarded_message_is_kept_with_its_reason_and_not_delivered_again(
    bus: NatsBus,
) -> None:
    await bus.publish(SUBJECT, b"bad", message_id="1")
    await bus.publish(SUBJECT, b"barrier", message_id="2")
    async with bus.consume(LINE) as deliveries:
        await (await anext(deliveries)).discard(reason="cannot read it")
        following = await anext(deliveries)
    assert following.data == b"barrier"
    kept = await bus.last(DEAD, dead(INBOX, "default", "web"))
    assert kept is not None
    assert kept.data == b"bad"


async def test_a_killed_server_loses_nothing_and_the_consumer_goes_on_at_once(
    nats_server: NatsServer, bus: NatsBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "HEARTBEAT_S", HANGS_S)  # so that its absence wakes nobody
    monkeypatch.setattr(pull, "EXPIRES_S", HANGS_S)
    consumer = replace(LINE, ack_wait_s=HANGS_S)
    await bus.publish(SUBJECT, b"before", message_id="1")
    async with bus.consume(consumer) as deliveries:
        await anext(deliveries)
        nats_server.kill()
        await nats_server.start()
        async with connect(nats_server.address("other")) as other:
            await other.publish(SUBJECT, b"after", message_id="2")
        async with asyncio.timeout(WAIT_S):
            seen = {(await anext(deliveries)).data for _ in range(1)}
    assert seen <= {b"before", b"after"}


async def test_a_stream_that_is_full_refuses_and_keeps_what_it_has(bus: NatsBus) -> None:
    await bus.publish(SUBJECT, b"first", message_id="first")
    config = (await bus.client.jetstream().stream_info(INBOX)).config
    config.max_bytes = 1024
    await bus.client.jetstream().update_stream(config)
    with pytest.raises(BusFullError):
        await bus.publish(SUBJECT, b"x" * 2048, message_id="second")
    kept = await bus.last(INBOX, SUBJECT)
    assert kept is not None
    assert kept.data == b"first"


async def test_a_delivery_says_whether_anything_went_to_somebody_else_before_it(
    bus: NatsBus, nats_server: NatsServer
) -> None:
    consumer = replace(LINE, name="unhurried", ack_wait_s=HANGS_S)
    await ensure_consumer(bus.client, consumer)
    async with (
        asyncio.timeout(WAIT_S),
        tcp_proxy(nats_server.port) as proxy,
        connect(replace(nats_server.address("torn"), url=f"nats://127.0.0.1:{proxy.port}")) as torn,
        torn.consume(consumer, batch=1) as mine,
        bus.consume(consumer, batch=1) as others,
    ):
        for number in range(1, 7):
            await bus.publish(SUBJECT, b"x", message_id=str(number))
        assert [(await anext(mine)).follows for _ in range(2)] == [False, True]
        assert (await anext(others)).sequence == 3
        assert [(await anext(mine)).follows for _ in range(2)] == [False, True]
        with torn.gaps() as gap:
            proxy.reset()
            await gap.wait()
        assert not (await anext(mine)).follows  # though its number does
