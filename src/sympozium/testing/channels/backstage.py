"""The bus behind a channel: what it hands in, and what it is told to show."""

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from sympozium.bus.admin import ensure_bus
from sympozium.bus.lines import ensure_line
from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import Delivery
from sympozium.contract.dead_letters import read_headers
from sympozium.contract.envelope import encode, unwrap, wrap
from sympozium.contract.limits import FILE_PART_BYTES
from sympozium.contract.messages import (
    Entry,
    FileRef,
    InboundKind,
    InboundMessage,
    OutboundKind,
    OutboundMessage,
    Role,
    VisibleError,
    outbound_id,
)
from sympozium.contract.names import RunName, RunUid
from sympozium.contract.run_events import Delta, LiveLine, Progress, Started, Waiting
from sympozium.contract.subjects import DEAD, INBOX, dead, file_part, inbox_consumer, live, outbox
from sympozium.testing.channels.desk import MemoryDesk, memory_desk

PATIENCE_S = 15.0
"""How long something may take that is to happen; it happens in milliseconds."""

LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Run:
    """A run that answers a message, as far as a channel can tell."""

    name: RunName
    uid: RunUid


class Backstage:
    """Plays router and agent for one channel. Made by `backstage`."""

    def __init__(self, bus: NatsBus, desk: MemoryDesk, namespace: str, channel: str) -> None:
        self._bus = bus
        self._namespace = namespace
        self._channel = channel
        self._heard: deque[InboundMessage] = deque()
        self._known: set[str] = set()
        self._news = asyncio.Condition()
        self.desk = desk

    async def collect(self, deliveries: AsyncIterator[Delivery]) -> None:
        """Take what the channel hands in, until cancelled."""
        async for delivery in deliveries:
            message = unwrap(delivery.data, InboundMessage)
            await delivery.ack()
            if message.message_id in self._known:
                continue  # a bus that was killed may have lost the acknowledgement
            self._known.add(message.message_id)
            if message.kind is InboundKind.MESSAGE:
                asked = Entry(
                    id=message.message_id, role=Role.USER, text=message.text, time=message.time
                )
                self.desk.remember(message.conversation, asked)
            async with self._news:
                self._heard.append(message)
                self._news.notify_all()

    async def heard(self, chat: str, *, patience_s: float = PATIENCE_S) -> InboundMessage:
        """Return the next message from a chat; each is returned once.

        Raises:
            AssertionError: There is none in time.
        """
        try:
            async with asyncio.timeout(patience_s), self._news:
                while (found := self._next(chat)) is None:
                    await self._news.wait()
                return found
        except TimeoutError:
            others = [message.place.chat or message.conversation for message in self._heard]
            raise AssertionError(
                f"nothing was heard from {chat!r}; from others: {others}"
            ) from None

    async def fill(self) -> None:
        """Leave no room in INBOX: it refuses whatever comes."""
        config = (await self._bus.client.jetstream().stream_info(INBOX)).config
        config.max_bytes = 1
        await self._bus.client.jetstream().update_stream(config)

    async def make_room(self) -> None:
        """Make INBOX as large as it is declared to be."""
        await ensure_bus(self._bus.client)

    async def accept(
        self, message: InboundMessage, *, waiting_for: int = 0, agent: str = "helper"
    ) -> Run:
        """Say that a run exists for *message*."""
        run = Run(RunName(f"stage-{uuid.uuid4().hex[:8]}"), RunUid(str(uuid.uuid4())))
        await self._say(message, OutboundKind.ACCEPTED, run, waiting_for=waiting_for, agent=agent)
        return run

    async def finish(
        self, message: InboundMessage, run: Run | None, text: str, **more: Any
    ) -> OutboundMessage:
        """Say the answer; *more* are fields of `OutboundMessage`."""
        return await self._say(message, OutboundKind.FINAL, run, text=text, **more)

    async def fail(self, message: InboundMessage, run: Run | None, sentence: str) -> None:
        """Say why there is no answer."""
        error = VisibleError(code="Internal", message=sentence)
        await self._say(message, OutboundKind.ERROR, run, error=error)

    async def join(self, message: InboundMessage, other: InboundMessage) -> None:
        """Say that the answer to *other* answers *message*."""
        await self._say(message, OutboundKind.JOINED, None, answered_with=other.message_id)

    async def drop(self, message: InboundMessage) -> None:
        """Say that *message* was withdrawn."""
        await self._say(message, OutboundKind.DROPPED, None)

    async def repeat(self, said: OutboundMessage, *, times: int) -> None:
        """Say something again, as a router that forgot it may do."""
        for number in range(times):
            await self._publish(said, f"{said.message_id}/again/{number}")

    async def starts(self, run: Run) -> None:
        """Have the run say that it has started."""
        await self._live(run, Started())

    async def waits(self, run: Run, before: int, *, for_capacity: bool = False) -> None:
        """Have it said that the run has not started."""
        await self._live(run, Waiting(before=before, for_capacity=for_capacity))

    async def writes(self, run: Run, text: str, *, offset: int = 0) -> None:
        """Have the run write a piece of its answer."""
        await self._live(run, Delta(text=text, offset=offset))

    async def uses(self, run: Run, tool: str, state: str = "started") -> None:
        """Have the run use a tool."""
        await self._live(run, Progress(call_id=f"{run.uid}/1", tool=tool, state=state))

    async def file(self, run: Run, name: str, data: bytes) -> FileRef:
        """Have the run make a file."""
        id_ = uuid.uuid4().hex
        parts = [data[at : at + FILE_PART_BYTES] for at in range(0, len(data), FILE_PART_BYTES)]
        for number, part in enumerate(parts):
            subject = file_part(self._namespace, run.uid, id_, number)
            await self._bus.publish(subject, part, message_id=f"{id_}/{number}")
        return FileRef(
            id=id_,
            owner=run.uid,
            name=name,
            media_type="text/plain",
            size_bytes=len(data),
            parts=len(parts),
        )

    async def read(self, ref: FileRef) -> bytes:
        """Return the bytes of a file that the channel handed in."""
        data = b""
        for number in range(ref.parts):
            part = file_part(self._namespace, ref.owner, ref.id, number)
            stored = await self._bus.last("FILES", part)
            assert stored is not None, f"part {number} of {ref.name!r} is not there"
            data += stored.data
        return data

    async def dead_letters(self, stream: str = INBOX) -> int:
        """Return how many messages of the channel were set aside so far."""
        return len(await self.reasons(stream))

    async def reasons(self, stream: str = INBOX) -> list[str]:
        """Return why messages of the channel were set aside so far, oldest first."""
        subject, since, found = dead(stream, self._namespace, self._channel), 1, list[str]()
        while stored := await self._bus.next(DEAD, subject, since=since):
            since = stored.sequence + 1
            found.append(read_headers(stored.subject, stored.headers).reason)
        return found

    async def buried(self, count: int, stream: str = INBOX) -> None:
        """Return when so many messages of the channel were set aside.

        Raises:
            AssertionError: There are fewer after a while, or more.
        """
        found = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while (found := await self.dead_letters(stream)) < count:  # noqa: ASYNC110 - no event
                    await asyncio.sleep(LOOK_EVERY_S)
        assert found == count, f"{found} messages were set aside instead of {count}"

    def _next(self, chat: str) -> InboundMessage | None:
        for message in self._heard:
            if (message.place.chat or message.conversation) == chat:
                self._heard.remove(message)
                return message
        return None

    async def _say(
        self, message: InboundMessage, kind: OutboundKind, run: Run | None, **more: Any
    ) -> OutboundMessage:
        shown = OutboundMessage(
            kind=kind,
            message_id=message.message_id,
            conversation=message.conversation,
            reply_to=message.reply_to,
            run_name=run.name if run else RunName(""),
            run_uid=run.uid if run else RunUid(""),
        )
        said = msgspec.structs.replace(shown, **more)
        sequence = await self._publish(said, outbound_id(message.message_id, kind))
        if kind in {OutboundKind.FINAL, OutboundKind.ERROR}:
            told = Entry(
                id=f"{message.message_id}/reply",
                role=Role.ASSISTANT,
                text=said.text,
                time=datetime.now(UTC),
                in_reply_to=message.message_id,
                error=said.error,
                sequence=sequence,
            )
            self.desk.remember(message.conversation, told)
        return said

    async def _publish(self, said: OutboundMessage, id_: str) -> int:
        subject = outbox(self._namespace, self._channel)
        data = wrap(said, id=id_, time=datetime.now(UTC))
        return (await self._bus.publish(subject, data, message_id=id_)).sequence

    async def _live(self, run: Run, event: LiveLine) -> None:
        await self._bus.send(live(self._namespace, run.uid), encode(event))


@asynccontextmanager
async def backstage(bus: NatsBus, namespace: str, channel: str) -> AsyncIterator[Backstage]:
    """Play router and agent on *bus* while the block lasts."""
    await ensure_line(bus.client, namespace)
    async with (
        memory_desk(bus, namespace, channel) as desk,
        bus.consume(inbox_consumer(namespace)) as deliveries,
        asyncio.TaskGroup() as group,
    ):
        made = Backstage(bus, desk, namespace, channel)
        collecting = group.create_task(made.collect(deliveries))
        yield made
        collecting.cancel()
