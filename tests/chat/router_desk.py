"""The router's desk from memory, which outlives the channel's program and may be away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from sympozium.bus.nats import NatsBus
from sympozium.contract.desk import (
    FetchAnswer,
    FetchRequest,
    NotesAnswer,
    NotesRequest,
    ReportAnswer,
    ReportRequest,
)
from sympozium.contract.envelope import decode, encode
from sympozium.contract.limits import MAX_NOTE_BYTES
from sympozium.contract.names import MessageId
from sympozium.contract.subjects import (
    FILES,
    ROUTER_GROUP,
    channel_of,
    fetch,
    file_part,
    notes,
    report,
)


class RouterDesk:
    """What one channel asked to be kept.

    Attributes:
        is_away: Every answer is that it cannot be had now.
        step: Called before and after a note of a message is kept.
    """

    def __init__(self, bus: NatsBus) -> None:
        self._bus = bus
        self._changed = asyncio.Event()
        self.notes: dict[str, str] = {}
        self.reports: list[ReportRequest] = []
        self.is_away = False
        self.step: Callable[[MessageId], Awaitable[None]] | None = None

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something was asked for; the test's time limit ends the wait."""
        while not is_so():
            self._changed.clear()
            await self._changed.wait()

    def said(self) -> list[str]:
        """Return the reasons that were reported, in order."""
        return [one.reason for one in self.reports]

    async def answer_notes(self, _subject: str, data: bytes) -> bytes:
        """Return an encoded `NotesAnswer`."""
        request = decode(data, NotesRequest)
        if self.is_away:
            return encode(NotesAnswer(error="the store is away", retry=True))
        await self._step(request)
        for key, value in request.put.items():
            assert len(value.encode()) <= MAX_NOTE_BYTES
            self.notes[key] = value
        self.notes = {key: value for key, value in self.notes.items() if value}
        found = {key: self.notes[key] for key in request.get if key in self.notes}
        if request.prefix:
            found |= {k: v for k, v in self.notes.items() if k.startswith(request.prefix)}
        self._changed.set()
        await self._step(request)
        return encode(NotesAnswer(notes=found))

    async def _step(self, request: NotesRequest) -> None:
        for key in request.put:
            if self.step is not None and key.startswith("post:"):
                await self.step(MessageId(key.removeprefix("post:")))

    async def answer_report(self, _subject: str, data: bytes) -> bytes:
        """Return an encoded `ReportAnswer`."""
        if self.is_away:
            return encode(ReportAnswer(error="the store is away", retry=True))
        self.reports.append(decode(data, ReportRequest))
        self._changed.set()
        return encode(ReportAnswer())

    async def answer_fetch(self, subject: str, data: bytes) -> bytes:
        """Return an encoded `FetchAnswer`."""
        request = decode(data, FetchRequest)
        namespace, _ = channel_of(subject)
        part = file_part(namespace, request.owner, request.id, request.part)
        stored = await self._bus.last(FILES, part)
        if stored is None:
            return encode(FetchAnswer(error="there is no such part"))
        return encode(FetchAnswer(data=stored.data))


@asynccontextmanager
async def router_desk(bus: NatsBus, namespace: str, channel: str) -> AsyncIterator[RouterDesk]:
    """Answer one channel's requests while the block lasts."""
    desk = RouterDesk(bus)
    answers = {notes: desk.answer_notes, report: desk.answer_report, fetch: desk.answer_fetch}
    async with AsyncExitStack() as stack:
        for subject, answer in answers.items():
            responding = bus.respond(subject(namespace, channel), answer, group=ROUTER_GROUP)
            await stack.enter_async_context(responding)
        yield desk
