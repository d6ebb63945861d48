"""Everything that goes through INBOX and OUTBOX, read beside the programs and not by them."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from sympozium.bus.nats import Address, connect
from sympozium.contract.envelope import unwrap
from sympozium.contract.messages import InboundMessage, OutboundKind, OutboundMessage
from sympozium.contract.names import MessageId
from sympozium.contract.subjects import INBOX, OUTBOX, reply_prefix
from sympozium_local.system.bus_access import CONTROLLER_USER, bus_access
from sympozium_local.system.home import Home, read_json

FORGET_AFTER_S = 60.0


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

    async def changed(self) -> None:
        """Return when something more was stored."""
        async with self._news:
            await self._news.wait()

    def stored(self, token: str) -> list[Stored]:
        """Return what was stored with *token* in its text or its id."""
        return [
            one
            for one in self.inbox
            if token in one.message.text or token in one.message.message_id
        ]

    def ends(self, message_id: MessageId) -> list[OutboundMessage]:
        """Return every end that a message was given."""
        return [
            one
            for one in self.outbox
            if one.message_id == message_id and one.kind is not OutboundKind.ACCEPTED
        ]

    def is_ended(self, token: str) -> bool:
        """Return whether what was stored with *token* has an end."""
        return any(self.ends(one.message.message_id) for one in self.stored(token))

    async def _take(self, message: Msg) -> None:
        if message.metadata.stream == INBOX:
            inbound = unwrap(message.data, InboundMessage)
            self.inbox.append(Stored(message.metadata.sequence.stream, inbound))
        else:
            self.outbox.append(unwrap(message.data, OutboundMessage))
        async with self._news:
            self._news.notify_all()


@asynccontextmanager
async def observing(home: Home) -> AsyncIterator[Observer]:
    """Look at the streams of a running system while the block lasts.

    The controller's own user needs nobody to let it in, so this works also while
    the controller is dead.
    """
    port = read_json(home.ports)["nats"]
    address = Address(
        f"nats://127.0.0.1:{port}",
        "observer",
        reply_prefix("controller"),
        user=CONTROLLER_USER,
        password=bus_access(home).controller_password,
    )
    observer = Observer()
    async with connect(address) as bus:
        for stream in (INBOX, OUTBOX):
            name = f"observer-{uuid.uuid4().hex[:8]}"
            subject = f"{reply_prefix('controller')}.{name}"
            await bus.client.subscribe(subject, cb=observer._take)
            config = ConsumerConfig(
                name=name,
                deliver_subject=subject,
                deliver_policy=DeliverPolicy.NEW,
                ack_policy=AckPolicy.NONE,
                inactive_threshold=FORGET_AFTER_S,
            )
            await bus.client.jetstream().add_consumer(stream, config)
        yield observer
