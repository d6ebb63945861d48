"""A clock that was set ten minutes ahead or back, compared with the one of the bus."""

import logging
from datetime import datetime, timedelta

import pytest

from sympozium.bus import clock as clock_module
from sympozium.bus.clock import MAX_OFFSET, ClockWatch, clock_offset, of_stream, utc_now
from sympozium.bus.nats import Address, NatsBus, connect
from sympozium.contract.subjects import OUTBOX, reply_prefix
from tests.fixtures.nats_server import CONFIRM_WITHIN_S, NatsServer
from tests.fixtures.tcp_proxy import tcp_proxy

STEP = timedelta(minutes=10)
NEARLY = timedelta(seconds=CONFIRM_WITHIN_S)
ASKED = of_stream(OUTBOX)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the bus of a busy machine the time that it takes."""
    monkeypatch.setattr(clock_module, "PUBLISH_TIMEOUT_S", CONFIRM_WITHIN_S)


class Clock:
    """The real time, and what somebody has added to it."""

    def __init__(self, step: timedelta = timedelta(0)) -> None:
        self.step = step

    def __call__(self) -> datetime:
        return utc_now() + self.step


@pytest.mark.parametrize("step", [STEP, -STEP])
async def test_a_clock_that_was_set_by_ten_minutes_is_told_until_it_is_right(
    bus: NatsBus, caplog: pytest.LogCaptureFixture, step: timedelta
) -> None:
    clock, told = Clock(step), list[float]()
    watch = ClockWatch(bus, ASKED, tell=told.append, now=clock)
    with caplog.at_level(logging.INFO):
        await watch.look()
        clock.step = timedelta(0)
        await watch.look()
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "the clock is wrong",
        "the clock is right again",
    ]
    assert abs(timedelta(seconds=told[0]) - step) < NEARLY
    assert watch.as_text().splitlines()[-1] == f"sympozium_clock_ahead_seconds {told[-1]:g}"
    assert abs(told[1]) < MAX_OFFSET.total_seconds()


async def test_a_clock_that_is_right_is_not_mentioned(
    bus: NatsBus, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await ClockWatch(bus, ASKED).look()
    assert caplog.records == []


async def test_a_slow_bus_is_no_wrong_clock(nats_server: NatsServer, bus: NatsBus) -> None:
    async with tcp_proxy(nats_server.port) as proxy:
        address = Address(f"nats://127.0.0.1:{proxy.port}", "slow", reply_prefix("slow"))
        async with connect(address) as slow:
            proxy.delay_s = 0.5
            assert await clock_offset(slow, ASKED) == timedelta(0)


async def test_a_bus_that_is_away_says_nothing_of_the_clock(
    nats_server: NatsServer, bus: NatsBus, caplog: pytest.LogCaptureFixture
) -> None:
    nats_server.kill()
    with caplog.at_level(logging.INFO, logger="sympozium.bus.clock"):
        await ClockWatch(bus, ASKED).look()
    assert caplog.records == []
