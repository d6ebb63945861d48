"""Comparing the clock of this machine with the one of the bus.

Signatures, tokens and deadlines are judged by the clock. One that is minutes off
refuses everything that a platform signs, with nothing to see but that nobody
answers; so a program says of itself that its clock is wrong.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import nats.errors

from sympozium.bus.nats import PUBLISH_TIMEOUT_S, NatsBus
from sympozium.bus.ports import BusUnavailableError
from sympozium.contract.subjects import Consumer
from sympozium.runtime.loops import pause
from sympozium.runtime.metrics import text_of

log = logging.getLogger(__name__)

MAX_OFFSET = timedelta(seconds=30)
"""From here on an operator is told."""

LOOK_EVERY_S = 60.0
METRIC = "sympozium_clock_ahead_seconds"

Now = Callable[[], datetime]


class _Answer(msgspec.Struct):
    """What the server says about something, of which the time is of interest here."""

    ts: datetime


def utc_now() -> datetime:
    """Return the time by the clock of this machine."""
    return datetime.now(UTC)


def of_consumer(consumer: Consumer) -> str:
    """Return where the server is asked about a consumer, and says what time it is."""
    return f"$JS.API.CONSUMER.INFO.{consumer.stream}.{consumer.name}"


def of_stream(stream: str) -> str:
    """Return where the server is asked about a stream, and says what time it is."""
    return f"$JS.API.STREAM.INFO.{stream}"


async def clock_offset(bus: NatsBus, subject: str, now: Now = utc_now) -> timedelta:
    """Return how far our clock is ahead of the bus' for certain; negative: behind.

    The server says its time at some moment between question and answer, so what the
    answer's way may account for is left out: a slow bus is no wrong clock.

    Any *subject* will do on which this program may ask about something.

    Raises:
        BusUnavailableError: No answer in time.
    """
    asked_at = now()
    try:
        answer = await bus.client.request(subject, b"", timeout=PUBLISH_TIMEOUT_S)
        server_time = msgspec.json.decode(answer.data, type=_Answer).ts
    except (nats.errors.Error, TimeoutError, OSError, msgspec.MsgspecError) as error:
        raise BusUnavailableError(
            f"cannot learn the time of the bus on {subject!r}: {type(error).__name__}"
        ) from error
    answered_at = now()
    if asked_at > server_time:
        return asked_at - server_time
    return min(answered_at - server_time, timedelta(0))


class ClockWatch:
    """Compares the clocks again and again, and tells an operator of a wrong one.

    Args:
        subject: Where the server is asked; see `clock_offset`.
        tell: Called with every offset in seconds, for a metric.
    """

    def __init__(
        self,
        bus: NatsBus,
        subject: str,
        *,
        tell: Callable[[float], None] = lambda _: None,
        now: Now = utc_now,
    ) -> None:
        self._bus = bus
        self._subject = subject
        self._tell = tell
        self._now = now
        self._is_wrong = False
        self._ahead_s: float | None = None

    def as_text(self) -> str:
        """Return the last offset in the text form that Prometheus reads; nothing before it."""
        if self._ahead_s is None:
            return ""
        says = "Seconds that the clock of this machine is ahead of the bus'."
        return text_of(METRIC, "gauge", says, [({}, self._ahead_s)])

    async def run(self, stop: asyncio.Event) -> None:
        """Look once a minute until *stop* is set."""
        while not stop.is_set():
            await self.look()
            await pause(LOOK_EVERY_S, stop)

    async def look(self) -> None:
        """Compare once. That the bus does not answer is nothing to say here."""
        try:
            offset = await clock_offset(self._bus, self._subject, self._now)
        except BusUnavailableError as error:
            log.debug("clock not compared", extra={"action": "retry", "cause": str(error)})
            return
        self._ahead_s = offset.total_seconds()
        self._tell(self._ahead_s)
        was_wrong, self._is_wrong = self._is_wrong, abs(offset) > MAX_OFFSET
        if self._is_wrong:
            log.error(
                "the clock is wrong: synchronize it on this machine or on that of nats-server",
                extra={"action": "alert", "ahead_s": round(offset.total_seconds(), 1)},
            )
        elif was_wrong:
            log.info("the clock is right again", extra={"action": "recover"})
