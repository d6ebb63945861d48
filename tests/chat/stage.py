"""The engine between a real bus and a platform in memory, and the router that talks to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sympozium.bus.admin import ensure_consumer
from sympozium.bus.nats import Address, NatsBus
from sympozium.chat.desk import Desk
from sympozium.chat.files import Files
from sympozium.chat.gate import Triggers
from sympozium.chat.health import Health
from sympozium.chat.intake import Intake
from sympozium.chat.office import Office
from sympozium.chat.outbox.outbound import Outbound
from sympozium.chat.outbox.reactions import Marks
from sympozium.chat.platform import Target
from sympozium.chat.settings import ChannelSettings
from sympozium.contract.envelope import encode, wrap
from sympozium.contract.messages import (
    OutboundKind,
    OutboundMessage,
    VisibleError,
    outbound_id,
)
from sympozium.contract.names import ConversationId, MessageId, RunName, RunUid
from sympozium.contract.run_events import Delta, Progress, Started, Waiting
from sympozium.contract.subjects import DEAD, OUTBOX, dead, live, outbox, outbox_consumer
from sympozium.runtime.loops import run_until_stopped
from tests.chat.router_desk import RouterDesk, router_desk
from tests.chat.stand_in import StandIn

NAMESPACE, CHANNEL = "default", "talk"
REDELIVERED_AFTER_S = 1.0


@dataclass(frozen=True)
class Asked:
    """A message that a person wrote."""

    id: MessageId
    conversation: ConversationId

    @property
    def run(self) -> RunUid:
        """The uid of its run."""
        return RunUid(f"uid-{self.id}")

    @property
    def target(self) -> Target:
        """Where it is answered."""
        return Target(self.conversation, self.id, f"reply-to-{self.id}")


def asked(id_: str, conversation: str = "c1:t1") -> Asked:
    """Return a message of a conversation."""
    return Asked(MessageId(id_), ConversationId(conversation))


class Stage:
    """One channel whose program can be crashed and started again. Made by `stage`."""

    def __init__(self, bus: NatsBus, desk: RouterDesk, platform: StandIn) -> None:
        self.bus = bus
        self.desk = desk
        self.platform = platform
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None
        self.office = self._new_office()

    def begin(self, group: asyncio.TaskGroup) -> None:
        """Start the program."""
        self._group = group
        self.start()

    def start(self) -> None:
        """Start the program, as after a crash."""
        assert self._group is not None
        self._stop = asyncio.Event()
        self.office = self._new_office()
        self.office.health.inbound_is_up()
        outbound = Outbound(self.office, self.platform)
        self._task = self._group.create_task(
            run_until_stopped(*outbound.loops, stop=self._stop, drain_s=4.0)
        )

    async def stop(self) -> None:
        """End the program as SIGTERM does."""
        self._stop.set()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def crash(self) -> None:
        """End the program where it stands."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    async def say(self, message: OutboundMessage) -> None:
        """Publish what the router says."""
        id_ = outbound_id(message.message_id, message.kind)
        await self.bus.publish(
            outbox(NAMESPACE, CHANNEL),
            wrap(message, id=id_, time=datetime.now(UTC)),
            message_id=id_,
        )

    async def accept(self, one: Asked, *, waiting_for: int = 0) -> None:
        """Say that a run exists."""
        await self.say(
            replace_kind(one, OutboundKind.ACCEPTED, run_uid=one.run, waiting_for=waiting_for)
        )

    async def finish(self, one: Asked, text: str = "the answer", **more: object) -> None:
        """Say the answer."""
        await self.say(replace_kind(one, OutboundKind.FINAL, text=text, **more))

    async def say_again(self, one: Asked, text: str) -> None:
        """Have an answer delivered once more, as a bus does whose acknowledgement was lost."""
        message = replace_kind(one, OutboundKind.FINAL, text=text)
        data = wrap(message, id="again", time=datetime.now(UTC))
        await self.bus.publish(outbox(NAMESPACE, CHANNEL), data, message_id="again")

    async def fail(self, one: Asked, sentence: str) -> None:
        """Say why there is no answer."""
        error = VisibleError(code="Internal", message=sentence)
        await self.say(replace_kind(one, OutboundKind.ERROR, error=error))

    async def joins(self, one: Asked, other: Asked) -> None:
        """Say that the answer to *other* answers *one* too."""
        await self.say(replace_kind(one, OutboundKind.JOINED, answered_with=other.id))

    async def drops(self, one: Asked) -> None:
        """Say that its sender took the message back."""
        await self.say(replace_kind(one, OutboundKind.DROPPED))

    async def writes(self, one: Asked, text: str, offset: int = 0) -> None:
        """The run writes a piece of its answer."""
        await self.bus.send(live(NAMESPACE, one.run), encode(Delta(text=text, offset=offset)))

    async def works(self, one: Asked, tool: str, state: str = "started") -> None:
        """The run calls a tool."""
        line = Progress(call_id="1", tool=tool, state=state)
        await self.bus.send(live(NAMESPACE, one.run), encode(line))

    async def waits(self, one: Asked, before: int | None, *, for_capacity: bool = False) -> None:
        """The controller says that the run has not started."""
        line = Waiting(before=before, for_capacity=for_capacity)
        await self.bus.send(live(NAMESPACE, one.run), encode(line))

    async def begins(self, one: Asked) -> None:
        """The run begins."""
        await self.bus.send(live(NAMESPACE, one.run), encode(Started()))

    async def settled(self, count: int) -> None:
        """Wait until so many deliveries are settled, the first ones all of them."""
        consumer = outbox_consumer(NAMESPACE, CHANNEL)
        while (await self.bus.state(consumer)).acknowledged < count:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.02)

    async def dead_letters(self) -> list[bytes]:
        """Return what was set aside."""
        found, since = list[bytes](), 1
        while True:
            stored = await self.bus.next(DEAD, dead(OUTBOX, NAMESPACE, CHANNEL), since=since)
            if stored is None:
                return found
            found.append(stored.data)
            since = stored.sequence + 1

    def _new_office(self) -> Office:
        names = (NAMESPACE, CHANNEL)
        bus = self.bus
        return Office(
            settings=ChannelSettings(*names, Address("", "test", "_INBOX"), Triggers()),
            bus=bus,
            intake=Intake(bus, *names),
            desk=Desk(bus, *names),
            files=Files(bus, bus, *names),
            health=Health(lambda: bus.is_connected),
            marks=Marks(),
        )


def replace_kind(one: Asked, kind: OutboundKind, **more: object) -> OutboundMessage:
    """Return an outbound message about *one*."""
    fields = {"agent": "helper", "run_name": RunName(f"run-{one.id}"), **more}
    return OutboundMessage(
        kind=kind,
        message_id=one.id,
        conversation=one.conversation,
        reply_to=one.target.reply_to,
        **fields,  # type: ignore[arg-type] # fields of the message, checked as it is made
    )


@asynccontextmanager
async def stage(bus: NatsBus, platform: StandIn) -> AsyncIterator[Stage]:
    """Yield a channel at work; it is stopped at the end."""
    consumer = replace(outbox_consumer(NAMESPACE, CHANNEL), ack_wait_s=REDELIVERED_AFTER_S)
    await ensure_consumer(bus.client, consumer)
    async with router_desk(bus, NAMESPACE, CHANNEL) as desk, asyncio.TaskGroup() as group:
        made = Stage(bus, desk, platform)
        made.begin(group)
        yield made
        await made.stop()


async def listened(channel: Stage) -> None:
    """Return when the program's requests to listen have reached the bus' server.

    Both use one connection, whose server takes things in order.
    """
    for _ in range(3):
        await asyncio.sleep(0)
    await channel.bus.client.flush()
