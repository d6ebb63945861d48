"""A line to the router's desk without a bus between: on a simulated clock nobody is ever late."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from sympozium.bus.ports import NoAnswerError, Responder
from sympozium.testing.channels.desk import MemoryDesk

ON_THE_WAY_S = 0.01


class DirectLine:
    """Keeps `sympozium.bus.ports.LiveBus` as far as a desk is asked for notes and told reports.

    Attributes:
        is_cut: Nothing is answered.
    """

    def __init__(self, desk: MemoryDesk) -> None:
        self._desk = desk
        self.is_cut = False

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        """Answer after a moment."""
        if self.is_cut:
            await asyncio.sleep(timeout_s)
            raise NoAnswerError(f"cannot get an answer on {subject!r}")
        await asyncio.sleep(ON_THE_WAY_S)
        is_note = subject.startswith("notes.")
        answer = self._desk.answer_notes if is_note else self._desk.answer_report
        return await answer(subject, data)

    async def send(self, subject: str, data: bytes) -> None:
        """Nobody listens."""

    def listen(self, subject: str) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, bytes]]]:
        """Nobody speaks."""
        raise NotImplementedError

    def respond(
        self, subject: str, respond: Responder, *, group: str
    ) -> AbstractAsyncContextManager[None]:
        """Nobody asks."""
        raise NotImplementedError
