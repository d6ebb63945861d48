"""Answering a channel that asks for the transcript of one of its conversations."""

from contextlib import AbstractAsyncContextManager

from sympozium.bus.ports import LiveBus
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import HistoryAnswer, HistoryRequest
from sympozium.contract.subjects import ROUTER_GROUP, channel_of
from sympozium.store.ports import Conversation, Message, StoreUnavailableError, Transcripts
from sympozium_router.desk.transcripts import entries_of, that_fit

SUBJECTS = "history.*.*"
MAX_ANSWER_BYTES = 1000 * 1024
"""An answer must fit one bus message of 1 MiB; older entries are left out."""

MAX_MESSAGES = 2000

PAGE = 50
"""Messages read at once: their texts are in memory together, and one may have half a MiB."""


class History:
    """Reads transcripts for channels. Whose it may be is said by the subject alone."""

    def __init__(self, bus: LiveBus, store: Transcripts) -> None:
        self._bus = bus
        self._store = store

    def responding(self) -> AbstractAsyncContextManager[None]:
        """Answer while the block lasts; of several routers one answers."""
        return self._bus.respond(SUBJECTS, self.answer, group=ROUTER_GROUP)

    async def answer(self, subject: str, data: bytes) -> bytes:
        """Return an encoded `HistoryAnswer`."""
        try:
            return encode(await self._read(subject, decode(data, HistoryRequest)))
        except PermanentError as error:
            return encode(HistoryAnswer(error=str(error)))
        except StoreUnavailableError:
            return encode(HistoryAnswer(error="the session store is away; ask again"))

    async def _read(self, subject: str, request: HistoryRequest) -> HistoryAnswer:
        namespace, channel = channel_of(subject)
        limit = max(1, min(request.limit, MAX_MESSAGES))
        conversation = Conversation(namespace, channel, request.conversation)
        messages = await self._newest(conversation, limit)
        entries = [entry for message in messages for entry in entries_of(message)]
        fitting = that_fit(entries[-limit:], MAX_ANSWER_BYTES)
        has_earlier = len(fitting) < len(entries) or await self._is_before(messages)
        return HistoryAnswer(entries=fitting, has_earlier=has_earlier)

    async def _is_before(self, messages: list[Message]) -> bool:
        """Return whether there is anything before *messages*."""
        if not messages:
            return False
        first = messages[0]
        earlier = self._store.transcript(first.conversation, limit=1, before=first.sequence)
        return bool(await earlier)

    async def _newest(self, conversation: Conversation, limit: int) -> list[Message]:
        """Return up to *limit* messages, oldest first, and hardly more than an answer can hold."""
        found: list[Message] = []
        chars, before = 0, None
        while len(found) < limit and chars < MAX_ANSWER_BYTES:
            wanted = min(PAGE, limit - len(found))
            page = await self._store.transcript(conversation, limit=wanted, before=before)
            found = [*page, *found]
            if len(page) < wanted:
                break
            before = page[0].sequence
            chars += sum(_chars(message) for message in page)
        return found


def _chars(message: Message) -> int:
    return len(message.inbound.text) + (len(message.end.text) if message.end else 0)
