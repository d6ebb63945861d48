"""How many messages wait for the readers of durable consumers, for whoever measures."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sympozium.bus.failures import asked_to
from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import BusUnavailableError
from sympozium.contract.subjects import INBOX, Consumer, inbox_consumer, namespace_of_line
from sympozium.runtime.loops import pause
from sympozium.runtime.metrics import text_of

log = logging.getLogger(__name__)

WAITING = "sympozium_messages_waiting"
IN_HAND = "sympozium_messages_in_hand"

LOOK_EVERY_S = 10.0

ANSWER_TIMEOUT_S = 1.5
"""Less than the shortest time that a program has to end in."""

_HELP = {
    WAITING: "Messages that no reader was given yet, in the longest line.",
    IN_HAND: "Messages that readers were given and have not settled, of the line with the most.",
}


Readers = Callable[[], Awaitable[list[Consumer]]]
"""Returns the consumers that are looked at; raises `BusUnavailableError`."""


def only(consumer: Consumer) -> Readers:
    """Return what names one consumer and no other."""

    async def one() -> list[Consumer]:
        return [consumer]

    return one


def lines(bus: NatsBus) -> Readers:
    """Return what names the line of every namespace."""

    async def all_lines() -> list[Consumer]:
        names = await bus.consumers(INBOX)
        return [inbox_consumer(one) for name in names if (one := namespace_of_line(name))]

    return all_lines


class Lag:
    """Counts what consumers have before them, again and again.

    What is told is the most that any of them has: how many there are depends on who
    uses the system, and a metric must not grow with that.

    Args:
        stream: What they read.
        program: Whose they are.
    """

    def __init__(self, bus: NatsBus, stream: str, program: str, readers: Readers) -> None:
        self._bus = bus
        self._labels = {"stream": stream, "consumer": program}
        self._readers = readers
        self._counts: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Count every ten seconds until *stop* is set. A bus that is away keeps the last counts."""
        while not stop.is_set():
            try:
                await self.count()
            except BusUnavailableError as error:
                log.debug("lag not counted", extra={"action": "retry", "cause": str(error)})
            await pause(LOOK_EVERY_S, stop)

    async def count(self) -> None:
        """Count once.

        Raises:
            BusUnavailableError: No answer in time.
        """
        jetstream = self._bus.client.jetstream(timeout=ANSWER_TIMEOUT_S)
        counts = {WAITING: 0, IN_HAND: 0}
        for reader in await self._readers():
            with asked_to(f"read consumer {reader.name!r} of {reader.stream}"):
                info = await jetstream.consumer_info(reader.stream, reader.name)
            counts[WAITING] = max(counts[WAITING], info.num_pending or 0)
            counts[IN_HAND] = max(counts[IN_HAND], info.num_ack_pending or 0)
        self._counts = counts

    def as_text(self) -> str:
        """Return the counts in the text form that Prometheus reads; nothing before the first."""
        return "".join(
            text_of(metric, "gauge", _HELP[metric], [(self._labels, count)])
            for metric, count in self._counts.items()
        )
