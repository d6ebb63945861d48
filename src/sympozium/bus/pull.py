"""Deliveries of a durable pull consumer, as they arrive and across lost connections.

One pull request asks for a whole batch and lets the server answer message by
message; asking for one at a time is 4 to 33 times slower, and the client
library's own `fetch` holds back the first message until its batch is full or
its time is over.
"""

import asyncio
import contextlib
import json
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from sympozium.bus.cancelled import heed_cancellation
from sympozium.bus.ports import BusUnavailableError, Delivery
from sympozium.contract.dead_letters import DeadLetter
from sympozium.contract.subjects import Consumer

EXPIRES_S = 30.0
"""How long a request for messages stands at the longest.

No longer than the time to redelivery: what a program was given after it had been
stopped comes again, and must not be given to the same stopped program.
"""

HEARTBEAT_S = 5.0
"""The server says it is alive this often; after twice as long we ask anew."""

HOLDS_PER_ACK_WAIT = 3
"""How often in the time to redelivery the server hears that a message is in work."""

RETRY_S = 0.25
"""Pause before asking again for a consumer that is not there, or a server that is away."""

_NANOSECONDS = 1_000_000_000

Bury = Callable[[DeadLetter, bytes], Awaitable[None]]
"""Keeps a message among the dead letters."""


class PulledDelivery:
    """A `Delivery` over one JetStream message."""

    def __init__(self, stream: str, message: Msg, bury: Bury, *, follows: bool = False) -> None:
        self._stream = stream
        self._message = message
        self._bury = bury
        self.follows = follows
        self.is_settled = False
        """Whether the server was told, or should have been, what became of it."""

    @property
    def subject(self) -> str:
        """Where it was published."""
        return self._message.subject

    @property
    def data(self) -> bytes:
        """What was published."""
        return self._message.data

    @property
    def sequence(self) -> int:
        """Its place in the stream."""
        return self._message.metadata.sequence.stream

    @property
    def attempt(self) -> int:
        """1 on the first delivery, one more on each redelivery."""
        return self._message.metadata.num_delivered or 1

    async def ack(self) -> None:
        """Done. If the acknowledgement is lost, the message comes once more."""
        self.is_settled = True
        await _told(self._message.ack())

    async def retry(self, *, after_s: float) -> None:
        """Not done. Deliver again no sooner than *after_s* seconds from now."""
        self.is_settled = True
        await _told(self._message.nak(delay=after_s))

    async def discard(self, *, reason: str, attempts: int = 0) -> None:
        """Keep it in the dead letters, then never deliver it again."""
        letter = DeadLetter(
            stream=self._stream,
            subject=self.subject,
            sequence=self.sequence,
            reason=reason,
            attempts=max(attempts, self.attempt),
            time=datetime.now(UTC),
            size_bytes=len(self.data),
        )
        await self._bury(letter, self.data)
        self.is_settled = True
        await _told(self._message.term())

    async def working(self) -> None:
        """Start the time to redelivery anew."""
        await _told(self._message.in_progress())


async def _told(telling: Coroutine[Any, Any, None]) -> None:
    try:
        await telling
    except (nats.errors.Error, OSError) as error:
        raise BusUnavailableError(
            f"cannot settle a delivery: {type(error).__name__}; it comes again"
        ) from error


class Hands:
    """The deliveries that are in somebody's hands: neither settled nor let go of.

    The server hears again and again that they are in work. So the time to redelivery
    may be short, and what a program held that was killed, or is stopped, comes soon
    to another one, however long the handling takes.
    """

    def __init__(self, client: Client, ack_wait_s: float) -> None:
        self._client = client
        self._every_s = ack_wait_s / HOLDS_PER_ACK_WAIT
        self._held: weakref.WeakSet[PulledDelivery] = weakref.WeakSet()

    def take(self, delivery: PulledDelivery) -> PulledDelivery:
        """Hold *delivery* until it is settled, or nobody has it any more."""
        self._held.add(delivery)
        return delivery

    async def hold_loop(self) -> None:
        """Say for ever what is in work."""
        while True:
            await asyncio.sleep(self._every_s)
            for delivery in list(self._held):
                if delivery.is_settled:
                    self._held.discard(delivery)
                elif self._client.is_connected:  # a server that is away does not redeliver
                    with contextlib.suppress(BusUnavailableError):
                        await delivery.working()


class Puller:
    """Asks for batches and sorts what comes: messages, heartbeats, ends of a request."""

    def __init__(self, client: Client, consumer: Consumer, batch: int) -> None:
        self._client = client
        self._consumer = consumer
        self._batch = batch
        self._expires_s = min(EXPIRES_S, consumer.ack_wait_s)
        self._heartbeat_s = min(HEARTBEAT_S, self._expires_s / 2)
        self._inbox = client.new_inbox()
        self._outstanding = 0
        self._subscription: Subscription | None = None
        self._number: int | None = None
        self._buffered = 0
        self._is_old = False
        self._is_anew = False

    @property
    def inbox(self) -> str:
        """Where the server sends what was asked for."""
        return self._inbox

    async def messages(self, subscription: Subscription) -> AsyncIterator[Msg]:
        """Yield messages for ever."""
        self._subscription = subscription
        while True:
            if self._outstanding <= 0:
                await self.ask()
            try:
                message = await subscription.next_msg(timeout=2 * self._heartbeat_s)
                heed_cancellation()
            except nats.errors.TimeoutError:
                self._outstanding, self._number = 0, None
                continue
            self._is_old = self._buffered > 0
            self._buffered -= self._is_old
            status = (message.headers or {}).get("Status") if not message.data else None
            if status is None:
                self._outstanding -= 1
                yield message
            elif status != "100":
                self._outstanding = 0
                if status != "408":
                    self._number = None
                    await asyncio.sleep(RETRY_S)

    def follows(self, message: Msg) -> bool:
        """Return whether *message* is what the consumer gave out next after the one before.

        To be asked once of each. After whatever may have set back the numbers that the
        server gives to deliveries nothing is said for certain.
        """
        before, self._number = self._number, message.metadata.sequence.consumer
        if self._is_old:  # it came before the connection was away: the first after it is not seen
            return False
        is_first, self._is_anew = self._is_anew, False
        return not is_first and before is not None and self._number == before + 1

    async def ask_anew(self) -> None:
        """Ask after the connection was away."""
        if self._subscription is not None:
            self._buffered = self._subscription.pending_msgs
        self._is_anew = True
        await self.ask()

    @property
    def stream(self) -> str:
        """The stream that the consumer reads."""
        return self._consumer.stream

    async def ask(self) -> None:
        """Ask for a batch. A request dies with its connection, so ask again on a new one."""
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._consumer.stream}.{self._consumer.name}"
        request = {
            "batch": self._batch,
            "expires": int(self._expires_s * _NANOSECONDS),
            "idle_heartbeat": int(self._heartbeat_s * _NANOSECONDS),
        }
        self._outstanding = self._batch
        await self._client.publish(subject, json.dumps(request).encode(), reply=self._inbox)


@asynccontextmanager
async def pull(
    client: Client,
    consumer: Consumer,
    batch: int,
    bury: Bury,
    reconnects: set[Callable[[], Awaitable[None]]],
) -> AsyncIterator[AsyncIterator[Delivery]]:
    """Yield the deliveries of *consumer*; see `Bus.consume`.

    *reconnects* holds what the connection's owner calls after each reconnect.
    """
    puller = Puller(client, consumer, batch)
    hands = Hands(client, consumer.ack_wait_s)
    subscription = await client.subscribe(puller.inbox)
    reconnects.add(puller.ask_anew)
    failure: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            holding = group.create_task(hands.hold_loop())
            try:
                yield _deliveries(puller, subscription, bury, hands)
            except Exception as error:  # noqa: BLE001 - raised below, as it is and in no group
                failure = error
            finally:
                holding.cancel()
    finally:
        reconnects.discard(puller.ask_anew)
        if not client.is_closed:
            await subscription.unsubscribe()
    if failure is not None:
        raise failure


async def _deliveries(
    puller: Puller, subscription: Subscription, bury: Bury, hands: Hands
) -> AsyncIterator[Delivery]:
    async for message in puller.messages(subscription):
        follows = puller.follows(message)
        yield hands.take(PulledDelivery(puller.stream, message, bury, follows=follows))
