"""How far readers are behind, as it is exported."""

import pytest

from sympozium.bus.lag import IN_HAND, WAITING, Lag
from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import BusUnavailableError
from sympozium.contract.subjects import INBOX_CONSUMER, inbox
from tests.fixtures.nats_server import NatsServer

LABELS = 'stream="INBOX",consumer="router"'


async def test_what_waits_and_what_is_in_hand_is_counted(bus: NatsBus) -> None:
    lag = Lag(bus, INBOX_CONSUMER)
    assert lag.as_text() == ""
    for number in range(5):
        await bus.publish(inbox("default", "web"), b"x", message_id=str(number))
    async with bus.consume(INBOX_CONSUMER, batch=2) as deliveries:
        await anext(deliveries)
        await (await anext(deliveries)).ack()
        await bus.client.flush()
        await lag.count()
    assert f"{WAITING}{{{LABELS}}} 3\n" in lag.as_text()
    assert f"{IN_HAND}{{{LABELS}}} 1\n" in lag.as_text()


async def test_the_last_counts_stay_while_the_bus_is_away(
    nats_server: NatsServer, bus: NatsBus
) -> None:
    lag = Lag(bus, INBOX_CONSUMER)
    await lag.count()
    nats_server.kill()
    with pytest.raises(BusUnavailableError):
        await lag.count()
    assert f"{WAITING}{{{LABELS}}} 0\n" in lag.as_text()
