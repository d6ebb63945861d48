"""Keeping channels' notes and claims. Whose they are is said by the subject alone."""

import logging
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from sympozium.bus.ports import LiveBus
from sympozium.contract.desk import NotesAnswer, NotesRequest
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import MAX_NOTE_BYTES
from sympozium.contract.subjects import ROUTER_GROUP, channel_of
from sympozium.store.ports import ChannelKey, Notes
from sympozium_router.clock import Clock

log = logging.getLogger(__name__)

SUBJECTS = "notes.*.*"

MAX_NOTES = 20_000
"""Notes of one channel; beyond that its oldest ones go."""

MAX_KEYS = 50
"""Keys that one request may put, and get."""

MAX_KEY_CHARS = 600
"""A message's id has up to 500 characters, and a word stands before it."""

MAX_ANSWER_BYTES = 1000 * 1024
"""An answer must fit one bus message of 1 MiB; of a prefix, the oldest notes are left out."""

LONGEST_CLAIM = timedelta(hours=1)

_TRIM_EVERY = 256
"""Requests after which a channel's notes are counted: counting costs more than keeping."""


class Notebook:
    """Does what channels ask for with `contract.desk.NotesRequest`."""

    def __init__(self, bus: LiveBus, store: Notes, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._clock = clock
        self._puts: dict[ChannelKey, int] = {}

    def responding(self) -> AbstractAsyncContextManager[None]:
        """Answer while the block lasts; of several routers one answers."""
        return self._bus.respond(SUBJECTS, self.answer, group=ROUTER_GROUP)

    async def answer(self, subject: str, data: bytes) -> bytes:
        """Return an encoded `NotesAnswer`."""
        try:
            return _fitted(await self._do(ChannelKey(*channel_of(subject)), data))
        except PermanentError as error:
            return encode(NotesAnswer(error=str(error)))
        except TransientError as error:
            log.warning("notes not kept yet", extra={"action": "retry", "cause": str(error)})
            return encode(NotesAnswer(error="the session store is away", retry=True))

    async def _do(self, owner: ChannelKey, data: bytes) -> NotesAnswer:
        request = decode(data, NotesRequest)
        problem = _problem(request)
        if problem:
            raise PermanentError(f"cannot keep notes: {problem}")
        answer = await self._store.note(owner, request, now=self._clock())
        if request.put:
            await self._trim(owner)
        return answer

    async def _trim(self, owner: ChannelKey) -> None:
        puts = self._puts[owner] = self._puts.get(owner, 0) + 1
        if puts >= _TRIM_EVERY:
            self._puts[owner] = 0
            trimmed = await self._store.trim_notes(owner, most=MAX_NOTES)
            if trimmed:
                extra = {"action": "prune", "channel": owner.channel, "count": trimmed}
                log.warning("a channel keeps too many notes", extra=extra)


def _problem(request: NotesRequest) -> str:
    """Return what is wrong with a request; nothing of it is done then."""
    if len(request.put) > MAX_KEYS or len(request.get) > MAX_KEYS:
        return f"more than {MAX_KEYS} keys at once"
    for key in (*request.put, *request.get, request.prefix, request.claim, request.holder):
        if len(key) > MAX_KEY_CHARS:
            return f"a name is longer than {MAX_KEY_CHARS} characters"
    if "" in request.put or "" in request.get:
        return "a key is empty"
    if any(len(value.encode(errors="replace")) > MAX_NOTE_BYTES for value in request.put.values()):
        return f"a note is longer than {MAX_NOTE_BYTES} bytes"
    if request.claim and not request.holder:
        return "a claim needs a holder"
    if not 0 <= request.for_s <= LONGEST_CLAIM.total_seconds():
        return f"a claim lasts from 0 to {LONGEST_CLAIM.total_seconds():.0f} s"
    return ""


def _fitted(answer: NotesAnswer) -> bytes:
    """Encode an answer, without the last of its notes where it would be too long."""
    left = MAX_ANSWER_BYTES
    kept: dict[str, str] = {}
    for key, value in answer.notes.items():
        left -= len(encode(key)) + len(encode(value)) + 2
        if left < 0:
            break
        kept[key] = value
    return encode(NotesAnswer(notes=kept, is_claimed=answer.is_claimed))
