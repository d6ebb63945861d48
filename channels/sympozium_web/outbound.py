"""From OUTBOX to the people who look: "working on it", the live tokens, the end."""

import asyncio
import logging

from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import BusUnavailableError, Delivery
from sympozium.bus.reclaim import reclaim
from sympozium.bus.settle import settle
from sympozium.bus.suspects import Suspects
from sympozium.contract.envelope import decode, unwrap
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import OutboundKind, OutboundMessage
from sympozium.contract.queued import Queued
from sympozium.contract.subjects import Consumer, channel_of, queued
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium_web import events
from sympozium_web.audience import Audience
from sympozium_web.live_runs import LiveRun, LiveRuns

log = logging.getLogger(__name__)


class Outbound:
    """Shows what the router says, to those who listen now.

    The durable record is the transcript: a delivery is done when it was handed
    to every open stream, and who had none open reads it there.
    """

    def __init__(
        self,
        bus: NatsBus,
        consumer: Consumer,
        audience: Audience,
        runs: LiveRuns,
        suspects: Suspects,
    ) -> None:
        self._bus = bus
        self._consumer = consumer
        self._audience = audience
        self._runs = runs
        self._suspects = suspects

    async def outbox_loop(self, stop: asyncio.Event) -> None:
        """Settle deliveries, in order, until *stop* is set."""
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._read())
            await stop.wait()
            reading.cancel()

    async def queued_loop(self, stop: asyncio.Event) -> None:
        """Tell those who listen that their messages wait, until *stop* is set."""
        subject = queued(*channel_of(self._consumer.subject))
        async with asyncio.TaskGroup() as group:
            hearing = group.create_task(self._hear(subject))
            await stop.wait()
            hearing.cancel()

    async def _hear(self, subject: str) -> None:
        async with self._bus.listen(subject) as said:
            async for _, data in said:
                try:
                    waits = decode(data, Queued)
                except PermanentError as error:
                    log.debug("line dropped", extra={"action": "drop", "cause": str(error)})
                    continue
                if not self._runs.is_known(waits.message_id):
                    self._audience.show(waits.conversation, events.queued(waits.message_id))

    async def _read(self) -> None:
        await reclaim(self._bus.client, self._consumer)
        async with self._bus.consume(self._consumer) as deliveries:
            async for delivery in deliveries:
                try:
                    await settle(delivery, self.show, suspects=self._suspects)
                except BusUnavailableError as error:  # it comes again, and is shown once
                    log.debug("delivery unsettled", extra={"action": "retry", "cause": str(error)})

    async def show(self, delivery: Delivery) -> None:
        """Hand one delivery to everybody who listens to its conversation.

        Raises:
            PermanentError: It is not an outbound message; a person must look at it.
        """
        reach(Point.WEB_BEFORE_SHOW)
        message = unwrap(delivery.data, OutboundMessage)
        if message.kind is OutboundKind.ACCEPTED:
            run = (message.conversation, message.message_id, message.run_name, message.run_uid)
            self._runs.follow(LiveRun(*run))
        elif self._runs.end(message.message_id, delivery.sequence):
            self._audience.show(message.conversation, events.end_of(message, delivery.sequence))
            log.info(
                "end shown",
                extra={
                    "action": "show",
                    "kind": message.kind.value,
                    "run": message.run_name,
                    "sequence": delivery.sequence,
                },
            )
            reach(Point.WEB_AFTER_SHOW)
