"""Asking the router for the transcript of a conversation, and its form over HTTP."""

from typing import Any

from sympozium.bus.ports import LiveBus, NoAnswerError
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.messages import Entry, HistoryAnswer, HistoryRequest
from sympozium.contract.names import ConversationId, MessageId
from sympozium.contract.subjects import history
from sympozium_web.events import as_choice, as_error, as_file, with_choices

ANSWER_TIMEOUT_S = 3.0


class TranscriptUnavailableError(TransientError):
    """The router does not answer now, or cannot read the session store."""


class Transcript:
    """The conversations of one channel, as the session store has them."""

    def __init__(self, bus: LiveBus, namespace: str, channel: str) -> None:
        self._bus = bus
        self._subject = history(namespace, channel)

    async def read(self, conversation: ConversationId) -> HistoryAnswer:
        """Return the newest entries of a conversation, oldest first; none if it is new.

        Raises:
            TranscriptUnavailableError: Nobody could say; ask again.
        """
        request = encode(HistoryRequest(conversation=conversation))
        try:
            data = await self._bus.request(self._subject, request, timeout_s=ANSWER_TIMEOUT_S)
            answer = decode(data, HistoryAnswer)
        except (NoAnswerError, PermanentError) as error:
            raise TranscriptUnavailableError(
                f"cannot read the transcript: {error}; is the router up?"
            ) from error
        if answer.error:
            raise TranscriptUnavailableError("cannot read the transcript: the router says so")
        return answer


def as_message(entry: Entry) -> dict[str, Any]:
    """Return an entry in the form of the HTTP contract."""
    error, about = entry.error, MessageId(entry.in_reply_to or entry.id)
    is_answer = error is None
    return {
        "id": entry.id,
        "role": entry.role,
        "text": with_choices(entry.text, entry.choices) if is_answer else entry.text,
        "time": entry.time,
        "state": entry.state,
        "in_reply_to": entry.in_reply_to,
        "error": as_error(error) if error is not None else None,
        "choices": [] if is_answer else [as_choice(about, choice) for choice in entry.choices],
        "files": [as_file(file) for file in entry.files],
    }
