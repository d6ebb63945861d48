"""How far readers are behind, as it is exported."""

import pytest

from sympozium.bus.lag import IN_HAND, WAITING, Lag, lines, only
from sympozium.bus.lines import ensure_line
from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import BusUnavailableError
from sympozium.contract.subjects import INBOX, inbox, inbox_consumer
from tests.fixtures.nats_server import NatsServer

LABELS = 'stream="INBOX",consumer="router"'
LINE = inbox_consumer("default")


async def test_what_waits_and_what_is_in_hand_is_counted(bus: NatsBus) -> None:
    lag = Lag(bus, INBOX, "router", lines(bus))
    assert lag.as_text() == ""
    for number in range(5):
        await bus.publish(inbox("default", "web"), b"x", message_id=str(number))
    async with bus.consume(LINE, batch=2) as deliveries:
        await anext(deliveries)
        await (await anext(deliveries)).ack()
        await bus.client.flush()
        await lag.count()
    assert f"{WAITING}{{{LABELS}}} 3\n" in lag.as_text()
    assert f"{IN_HAND}{{{LABELS}}} 1\n" in lag.as_text()


async def test_of_several_lines_the_longest_is_told_and_of_one_reader_only_its_own(
    bus: NatsBus,
) -> None:
    for namespace, count in (("a-team", 1), ("default", 7), ("z-team", 2)):
        await ensure_line(bus.client, namespace)
        for number in range(count):
            id_ = f"{namespace}-{number}"
            await bus.publish(inbox(namespace, "web"), b"x", message_id=id_)
    one = only(inbox_consumer("z-team"))
    all_lines, its_own = Lag(bus, INBOX, "router", lines(bus)), Lag(bus, INBOX, "router", one)
    await all_lines.count()
    await its_own.count()
    assert f"{WAITING}{{{LABELS}}} 7\n" in all_lines.as_text()
    assert f"{WAITING}{{{LABELS}}} 2\n" in its_own.as_text()


async def test_the_last_counts_stay_while_the_bus_is_away(
    nats_server: NatsServer, bus: NatsBus
) -> None:
    lag = Lag(bus, INBOX, "router", lines(bus))
    await lag.count()
    nats_server.kill()
    with pytest.raises(BusUnavailableError):
        await lag.count()
    assert f"{WAITING}{{{LABELS}}} 0\n" in lag.as_text()
