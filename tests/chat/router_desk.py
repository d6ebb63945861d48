"""The router's desk from memory, which may be away, and at which a test may stop a channel."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import groupby

from typing_extensions import override

from sympozium.bus.nats import NatsBus
from sympozium.contract.desk import NotesAnswer, NotesRequest, ReportAnswer
from sympozium.contract.envelope import decode, encode
from sympozium.contract.limits import MAX_NOTE_BYTES
from sympozium.contract.names import MessageId
from sympozium.testing.channels.desk import MemoryDesk, answering


class RouterDesk(MemoryDesk):
    """What one channel asked to be kept.

    Attributes:
        is_away: Every answer is that it cannot be had now.
        refused: How many were so.
        step: Called before and after a note of a message is kept.
    """

    def __init__(self, bus: NatsBus) -> None:
        super().__init__(bus)
        self._changed = asyncio.Event()
        self.is_away = False
        self.refused = 0
        self.step: Callable[[MessageId], Awaitable[None]] | None = None
        self._held: dict[str, asyncio.Event] = {}

    def hold(self, prefix: str) -> asyncio.Event:
        """Keep no note whose key begins with *prefix* until the event is set."""
        self._held[prefix] = asyncio.Event()
        return self._held[prefix]

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something was asked for; the test's time limit ends the wait."""
        while not is_so():
            self._changed.clear()
            await self._changed.wait()

    def said(self) -> list[str]:
        """Return the reasons that were reported, in order, each once however often it came.

        What is not answered soon is asked again: a slow bus brings a report twice.
        """
        return [reason for reason, _ in groupby(one.reason for one in self.reports)]

    @override
    async def answer_notes(self, subject: str, data: bytes) -> bytes:
        """Return an encoded `NotesAnswer`."""
        request = decode(data, NotesRequest)
        if self.is_away:
            self.refused += 1
            self._changed.set()
            return encode(NotesAnswer(error="the store is away", retry=True))
        assert all(len(value.encode()) <= MAX_NOTE_BYTES for value in request.put.values())
        for prefix, released in self._held.items():
            if any(key.startswith(prefix) for key in request.put):
                await released.wait()
        await self._step(request)
        answer = await super().answer_notes(subject, data)
        self._changed.set()
        await self._step(request)
        return answer

    @override
    async def answer_report(self, subject: str, data: bytes) -> bytes:
        """Return an encoded `ReportAnswer`."""
        if self.is_away:
            return encode(ReportAnswer(error="the store is away", retry=True))
        answer = await super().answer_report(subject, data)
        self._changed.set()
        return answer

    async def _step(self, request: NotesRequest) -> None:
        for key in request.put:
            if self.step is not None and key.startswith("post:"):
                await self.step(MessageId(key.removeprefix("post:")))


@asynccontextmanager
async def router_desk(bus: NatsBus, namespace: str, channel: str) -> AsyncIterator[RouterDesk]:
    """Answer one channel's requests while the block lasts."""
    async with answering(bus, RouterDesk(bus), namespace, channel) as desk:
        yield desk
