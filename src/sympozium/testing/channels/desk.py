"""The router's desk from memory: notes, claims, reports and files, as `contract.desk` has them.

It outlives the channel's program, as the session store does.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

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
from sympozium.contract.messages import Entry, HistoryAnswer, HistoryRequest
from sympozium.contract.names import ConversationId, may_go_on
from sympozium.contract.subjects import (
    FILES,
    ROUTER_GROUP,
    channel_of,
    fetch,
    file_part,
    history,
    notes,
    report,
)


class MemoryDesk:
    """Keeps what one channel asks for."""

    def __init__(self, bus: NatsBus) -> None:
        self._bus = bus
        self._claims: dict[str, tuple[str, float]] = {}
        self._reported = asyncio.Event()
        self._kept = asyncio.Event()
        self._entries: dict[ConversationId, list[Entry]] = {}
        self.notes: dict[str, str] = {}
        self.reports: list[ReportRequest] = []

    async def noted(self, message_id: str) -> None:
        """Return as soon as a note about a message is kept."""
        while not any(key.endswith(message_id) for key in self.notes):
            self._kept.clear()
            await self._kept.wait()

    async def told_of_trouble(self) -> ReportRequest:
        """Return what the channel says of itself, as soon as it says that it is not connected."""
        while not self.reports or self.reports[-1].is_connected:
            self._reported.clear()
            await self._reported.wait()
        return self.reports[-1]

    async def answer_notes(self, _subject: str, data: bytes) -> bytes:
        """Return an encoded `NotesAnswer`."""
        request = decode(data, NotesRequest)
        for key, value in request.put.items():
            self.notes[key] = value
            if not value:
                del self.notes[key]
        self._kept.set()
        found = {key: self.notes[key] for key in request.get if key in self.notes}
        if request.prefix:
            found |= {k: v for k, v in self.notes.items() if k.startswith(request.prefix)}
        is_claimed = bool(request.claim) and self._claim(request)
        return encode(NotesAnswer(notes=found, is_claimed=is_claimed))

    async def answer_report(self, _subject: str, data: bytes) -> bytes:
        """Return an encoded `ReportAnswer`."""
        self.reports.append(decode(data, ReportRequest))
        self._reported.set()
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

    async def answer_history(self, _subject: str, data: bytes) -> bytes:
        """Return an encoded `HistoryAnswer`."""
        request = decode(data, HistoryRequest)
        return encode(HistoryAnswer(entries=self._entries.get(request.conversation, [])))

    def remember(self, conversation: ConversationId, entry: Entry) -> None:
        """Add an entry to the transcript of a conversation."""
        self._entries.setdefault(conversation, []).append(entry)

    def _claim(self, request: NotesRequest) -> bool:
        now = asyncio.get_running_loop().time()
        holder, until = self._claims.get(request.claim, ("", 0.0))
        if request.for_s <= 0:
            if holder == request.holder:
                del self._claims[request.claim]
            return False
        if now < until and not may_go_on(request.holder, holder):
            return False
        self._claims[request.claim] = (request.holder, now + request.for_s)
        return True


Answering = TypeVar("Answering", bound=MemoryDesk)


@asynccontextmanager
async def answering(
    bus: NatsBus, desk: Answering, namespace: str, channel: str
) -> AsyncIterator[Answering]:
    """Have *desk* answer one channel's requests while the block lasts."""
    answers = {
        notes: desk.answer_notes,
        report: desk.answer_report,
        fetch: desk.answer_fetch,
        history: desk.answer_history,
    }
    async with AsyncExitStack() as stack:
        for subject, answer in answers.items():
            responding = bus.respond(subject(namespace, channel), answer, group=ROUTER_GROUP)
            await stack.enter_async_context(responding)
        yield desk


@asynccontextmanager
async def memory_desk(bus: NatsBus, namespace: str, channel: str) -> AsyncIterator[MemoryDesk]:
    """Answer one channel's requests while the block lasts."""
    async with answering(bus, MemoryDesk(bus), namespace, channel) as desk:
        yield desk
