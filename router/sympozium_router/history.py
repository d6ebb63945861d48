"""Answering a channel that asks for the transcript of one of its conversations."""

from contextlib import AbstractAsyncContextManager

from sympozium.bus.ports import LiveBus
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import HistoryAnswer, HistoryRequest
from sympozium.contract.subjects import ROUTER_GROUP, channel_of
from sympozium.store.ports import Conversation, StoreUnavailableError, Transcripts
from sympozium_router.transcripts import entries_of, that_fit

SUBJECTS = "history.*.*"
MAX_ANSWER_BYTES = 1000 * 1024
"""An answer must fit one bus message of 1 MiB; older entries are left out."""

MAX_MESSAGES = 2000


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
        messages = await self._store.transcript(
            Conversation(namespace, channel, request.conversation), limit=limit
        )
        entries = [entry for message in messages for entry in entries_of(message)]
        return HistoryAnswer(entries=that_fit(entries[-limit:], MAX_ANSWER_BYTES))
