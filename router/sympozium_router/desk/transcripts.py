"""From stored messages to the entries of a transcript: pure."""

from collections.abc import Callable, Iterable, Sequence

from sympozium.chat.commands import written
from sympozium.contract.envelope import encode
from sympozium.contract.limits import MAX_HISTORY_BYTES, MAX_HISTORY_MESSAGES
from sympozium.contract.messages import Entry, EntryState, InboundKind, Role
from sympozium.store.ports import End, Message


def entries_of(message: Message) -> list[Entry]:
    """Return what was asked and, where there is one, what was told at last.

    What was withdrawn, and what nobody was told about, is not there. What another
    message's answer answers has no answer of its own.
    """
    end, inbound = message.end, message.inbound
    if end is not None and end.is_dropped:
        return []
    asked = Entry(
        id=inbound.message_id,
        role=Role.USER,
        text=_text(message),
        time=inbound.time,
        state=_state(message),
        run_name=message.run_name,
        run_uid=message.run_uid,
        files=inbound.files,
    )
    return [asked] if end is None or end.answered_with else [asked, _told(message, end)]


def _text(message: Message) -> str:
    inbound = message.inbound
    if inbound.kind is InboundKind.COMMAND and inbound.command is not None:
        return inbound.text or written(inbound.command)
    return inbound.text


def _told(message: Message, end: End) -> Entry:
    return Entry(
        id=f"{message.inbound.message_id}/reply",
        role=Role.ASSISTANT,
        text=end.text,
        time=end.time,
        state=_state(message),
        in_reply_to=message.inbound.message_id,
        error=end.error,
        sequence=message.outbox_sequence,
        run_name=message.run_name,
        run_uid=message.run_uid,
        files=list(end.files),
        choices=list(end.choices),
    )


def _state(message: Message) -> EntryState:
    if message.end is not None:
        return EntryState.DONE if message.end.error is None else EntryState.FAILED
    return EntryState.RUNNING if message.run_uid else EntryState.STORED


def memory_of(messages: Iterable[Message]) -> list[Entry]:
    """Return what a run is told of the messages before its own, oldest first, bounded.

    A message that was refused never had a run: what its sender wrote must not
    reach an agent by way of the next message. An error is for people; of a run
    that failed only the question remains. What people asked the system, and what
    it answered, is not the agent's.
    """
    entries = [
        entry
        for message in messages
        if message.run_uid or (message.end is not None and message.end.answered_with)
        for entry in entries_of(message)
        if entry.error is None
    ]
    return _newest(entries[-MAX_HISTORY_MESSAGES:], MAX_HISTORY_BYTES, _text_bytes)


def that_fit(entries: Sequence[Entry], max_bytes: int) -> list[Entry]:
    """Return the newest of *entries* that fit into *max_bytes* of JSON, oldest first."""
    return _newest(entries, max_bytes, lambda entry: len(encode(entry)) + 1)


def _newest(
    entries: Sequence[Entry], max_bytes: int, size_of: Callable[[Entry], int]
) -> list[Entry]:
    left = max_bytes
    for index in range(len(entries) - 1, -1, -1):
        left -= size_of(entries[index])
        if left < 0:
            return list(entries[index + 1 :])
    return list(entries)


def _text_bytes(entry: Entry) -> int:
    return len(entry.text.encode(errors="replace"))
