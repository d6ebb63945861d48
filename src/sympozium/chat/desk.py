"""Asking the router to keep a note, to hold a claim, or to pass on how the channel stands."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from sympozium.bus.ports import LiveBus
from sympozium.contract.desk import (
    NotesAnswer,
    NotesRequest,
    ReportAnswer,
    ReportRequest,
)
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.subjects import notes, report

ANSWER_TIMEOUT_S = 3.0

Answer = TypeVar("Answer", NotesAnswer, ReportAnswer)


class Desk:
    """What the router keeps for one channel.

    Every method raises `NoAnswerError` (transient) when the router does not answer,
    `TransientError` when it cannot now, and `PermanentError` when it never will.
    """

    def __init__(self, bus: LiveBus, namespace: str, channel: str) -> None:
        self._bus = bus
        self._notes = notes(namespace, channel)
        self._report = report(namespace, channel)

    async def keep(self, kept: Mapping[str, str]) -> None:
        """Keep notes by key; they are on disk when this returns. An empty one is forgotten."""
        await self._ask_notes(NotesRequest(put=dict(kept)))

    async def read(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the notes of *keys* that are kept."""
        return (await self._ask_notes(NotesRequest(get=list(keys)))).notes

    async def read_all(self, prefix: str) -> dict[str, str]:
        """Return every note whose key begins with *prefix*."""
        return (await self._ask_notes(NotesRequest(prefix=prefix))).notes

    async def claim(self, name: str, holder: str, *, for_s: float) -> bool:
        """Take or prolong a claim; return whether it is *holder*'s. 0 seconds gives it up."""
        request = NotesRequest(claim=name, holder=holder, for_s=for_s)
        return (await self._ask_notes(request)).is_claimed

    async def say(self, *, is_connected: bool, reason: str, message: str = "") -> None:
        """Have the Channel's condition `Connected` say how this channel stands."""
        request = ReportRequest(is_connected=is_connected, reason=reason, message=message)
        _checked(await self._ask(self._report, encode(request), ReportAnswer))

    async def _ask_notes(self, request: NotesRequest) -> NotesAnswer:
        return _checked(await self._ask(self._notes, encode(request), NotesAnswer))

    async def _ask(self, subject: str, data: bytes, answer: type[Answer]) -> Answer:
        return decode(await self._bus.request(subject, data, timeout_s=ANSWER_TIMEOUT_S), answer)


def _checked(answer: Answer) -> Answer:
    if answer.error:
        kind = TransientError if answer.retry else PermanentError
        raise kind(f"the router refuses: {answer.error}")
    return answer
