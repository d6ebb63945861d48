"""Everything that goes through INBOX and OUTBOX, read beside the programs and not by them.

What is read goes on where it stopped when the bus was away: an observer that misses a
message would call it lost.
"""

import asyncio
import re
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from sympozium.bus.cancelled import heed_cancellation
from sympozium.bus.nats import Address, connect
from sympozium.contract.envelope import unwrap
from sympozium.contract.messages import InboundKind, InboundMessage, OutboundKind, OutboundMessage
from sympozium.contract.names import MessageId
from sympozium.contract.subjects import INBOX, OUTBOX, reply_prefix
from sympozium_local.system.bus_access import CONTROLLER_USER, bus_access
from sympozium_local.system.home import Home, read_json

FORGET_AFTER_S = 60.0
LOOK_S = 0.5
"""How often it is looked whether a reading has stopped."""

BUS_TIMEOUT_S = 2.0
_TOKEN = re.compile(r"tok[0-9a-z]+")
_AWAY = (nats.errors.Error, nats.js.errors.Error, TimeoutError, OSError)


@dataclass(frozen=True)
class Stored:
    """A message that a channel put into INBOX."""

    sequence: int
    message: InboundMessage


@dataclass
class Observer:
    """What was stored since it began to look."""

    inbox: list[Stored] = field(default_factory=list)
    outbox: list[OutboundMessage] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        """Find by token and by message what was given."""
        self._by_token: dict[str, list[Stored]] = defaultdict(list)
        self._by_message: dict[MessageId, list[OutboundMessage]] = defaultdict(list)
        self._places: dict[MessageId, int] = {}
        given, self.inbox = self.inbox, []
        for stored in given:
            self._note_inbound(stored)
        said, self.outbox = self.outbox, []
        for message in said:
            self._note_outbound(message)

    async def changed(self) -> None:
        """Return when something more was stored."""
        async with self._news:
            await self._news.wait()

    def stored(self, token: str) -> list[Stored]:
        """Return what was stored with *token* in its text or its id."""
        return self._by_token.get(token, [])

    def told(self, message_id: MessageId) -> list[OutboundMessage]:
        """Return everything that a channel was told about a message."""
        return self._by_message.get(message_id, [])

    def ends(self, message_id: MessageId) -> list[OutboundMessage]:
        """Return every end that a message was given."""
        return [one for one in self.told(message_id) if one.kind is not OutboundKind.ACCEPTED]

    def ends_of(self, token: str) -> list[OutboundMessage]:
        """Return every end of what was stored with *token*."""
        return [end for one in self.stored(token) for end in self.ends(one.message.message_id)]

    def place_of_end(self, message_id: MessageId) -> int:
        """Return where among all ends the last one of a message stands."""
        return self._places[message_id]

    def is_ended(self, token: str) -> bool:
        """Return whether what was stored with *token* has an end."""
        return bool(self.ends_of(token))

    async def take(self, message: Msg) -> None:
        """Note a message of one of the streams."""
        if message.metadata.stream == INBOX:
            inbound = unwrap(message.data, InboundMessage)
            if inbound.kind in {InboundKind.EDIT, InboundKind.DELETE}:
                return  # it changes another message, and is not answered itself
            self._note_inbound(Stored(message.metadata.sequence.stream, inbound))
        else:
            self._note_outbound(unwrap(message.data, OutboundMessage))
        async with self._news:
            self._news.notify_all()

    def _note_inbound(self, stored: Stored) -> None:
        self.inbox.append(stored)
        said = f"{stored.message.text} {stored.message.message_id}"
        for token in set(_TOKEN.findall(said)):
            self._by_token[token].append(stored)

    def _note_outbound(self, message: OutboundMessage) -> None:
        self.outbox.append(message)
        self._by_message[message.message_id].append(message)
        if message.kind is not OutboundKind.ACCEPTED:
            self._places[message.message_id] = len(self.outbox)


class _Reading:
    """One stream, read in order and without gaps, whatever becomes of the bus."""

    def __init__(self, client: Client, stream: str, take: Callable[[Msg], Awaitable[None]]) -> None:
        self._client = client
        self._stream = stream
        self._take = take
        self._next = 0
        self._in_consumer = 0
        self._subscription: Subscription | None = None

    async def begin(self) -> None:
        """Read what is stored from now on."""
        state = await self._client.jetstream(timeout=BUS_TIMEOUT_S).stream_info(self._stream)
        self._next = state.state.last_seq + 1
        await self._subscribe()

    async def keep_loop(self) -> None:
        """Begin anew where it stopped, whenever it stopped."""
        seen = self._next
        while True:
            await asyncio.sleep(LOOK_S)
            with suppress(*_AWAY):
                client = self._client.jetstream(timeout=BUS_TIMEOUT_S)
                last = (await client.stream_info(self._stream)).state.last_seq
                heed_cancellation()
                if last >= self._next and seen == self._next:
                    await self._subscribe()
            heed_cancellation()
            seen = self._next

    async def _subscribe(self) -> None:
        old, self._subscription = self._subscription, None
        if old is not None:
            with suppress(*_AWAY):
                await old.unsubscribe()
        name = f"observer-{uuid.uuid4().hex[:8]}"
        subject = f"{reply_prefix('controller')}.{name}"
        self._in_consumer = 0

        async def take(message: Msg) -> None:
            if message.subject and message.metadata.consumer == name:
                await self._read(message)

        self._subscription = await self._client.subscribe(subject, cb=take)
        config = ConsumerConfig(
            name=name,
            deliver_subject=subject,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self._next,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=FORGET_AFTER_S,
        )
        await self._client.jetstream(timeout=BUS_TIMEOUT_S).add_consumer(self._stream, config)

    async def _read(self, message: Msg) -> None:
        numbers = message.metadata.sequence
        if numbers.consumer != self._in_consumer + 1 or numbers.stream < self._next:
            return  # some were lost on the way: they are read anew
        self._in_consumer = numbers.consumer
        self._next = numbers.stream + 1
        await self._take(message)


@asynccontextmanager
async def observing(home: Home) -> AsyncIterator[Observer]:
    """Look at the streams of a running system while the block lasts.

    The controller's own user needs nobody to let it in, so this works also while
    the controller is dead.
    """
    port = read_json(home.ports)["nats"]
    password = bus_access(home).controller_password
    async with observing_bus(f"nats://127.0.0.1:{port}", password) as observer:
        yield observer


@asynccontextmanager
async def observing_bus(url: str, password: str) -> AsyncIterator[Observer]:
    """Look at the streams of the bus at *url*, as the controller may, while the block lasts."""
    prefix = reply_prefix("controller")
    address = Address(url, "observer", prefix, user=CONTROLLER_USER, password=password)
    observer = Observer()
    async with connect(address) as bus, asyncio.TaskGroup() as group:
        readings = [_Reading(bus.client, stream, observer.take) for stream in (INBOX, OUTBOX)]
        for reading in readings:
            await reading.begin()
        loops = [group.create_task(reading.keep_loop()) for reading in readings]
        yield observer
        for loop in loops:
            loop.cancel()
