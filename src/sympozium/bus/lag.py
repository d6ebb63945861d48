"""How many messages wait for the readers of a durable consumer, for whoever measures."""

import asyncio
import logging

from sympozium.bus.failures import asked_to
from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import BusUnavailableError
from sympozium.contract.subjects import Consumer
from sympozium.runtime.loops import pause
from sympozium.runtime.metrics import text_of

log = logging.getLogger(__name__)

WAITING = "sympozium_messages_waiting"
IN_HAND = "sympozium_messages_in_hand"

LOOK_EVERY_S = 10.0

ANSWER_TIMEOUT_S = 1.5
"""Less than the shortest time that a program has to end in."""

_HELP = {
    WAITING: "Messages that no reader was given yet.",
    IN_HAND: "Messages that a reader was given and has not settled.",
}


class Lag:
    """Counts what one consumer has before it, again and again."""

    def __init__(self, bus: NatsBus, consumer: Consumer) -> None:
        self._bus = bus
        self._consumer = consumer
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
        stream, name = self._consumer.stream, self._consumer.name
        jetstream = self._bus.client.jetstream(timeout=ANSWER_TIMEOUT_S)
        with asked_to(f"read consumer {name!r} of {stream}"):
            info = await jetstream.consumer_info(stream, name)
        self._counts = {WAITING: info.num_pending or 0, IN_HAND: info.num_ack_pending or 0}

    def as_text(self) -> str:
        """Return the counts in the text form that Prometheus reads; nothing before the first."""
        labels = {"stream": self._consumer.stream, "consumer": self._consumer.name}
        return "".join(
            text_of(metric, "gauge", _HELP[metric], [(labels, count)])
            for metric, count in self._counts.items()
        )
