"""What an event stream carries, and its bytes as Server-Sent Events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from sympozium.chat.commands import written
from sympozium.contract.messages import (
    Choice,
    FileRef,
    OutboundKind,
    OutboundMessage,
    VisibleError,
)
from sympozium.contract.names import MessageId, RunName, short_hash
from sympozium.contract.run_events import Delta, Progress, Waiting

CONTENT_TYPE = "text/event-stream"
HEARTBEAT = b": alive\n\n"
PREAMBLE = b"retry: 1000\n\n"
"""A browser that lost the stream asks again after so many milliseconds."""

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True)
class Event:
    """One event of a conversation.

    Attributes:
        wire: Its bytes, made once for all who listen.
        sequence: For the end of a message, its place in OUTBOX; else 0.
        is_live: It describes a run at work; a newer description replaces it.
        is_end: It is the one end of its message.
    """

    message_id: MessageId
    wire: bytes
    sequence: int = 0
    is_live: bool = False
    is_end: bool = False


def stored(message_id: MessageId, text: str, time: datetime) -> Event:
    """Return the event that says: the message is durable."""
    return Event(
        message_id, _wire("stored", {"message_id": message_id, "text": text, "time": time})
    )


def running(message_id: MessageId, run: RunName) -> Event:
    """Return the event that says: a run works on the message."""
    return Event(message_id, _wire("running", {"message_id": message_id, "run": run}), is_live=True)


def progress(message_id: MessageId, line: Progress) -> Event:
    """Return the event that says: a tool call began or ended."""
    data = {
        "message_id": message_id,
        "call_id": line.call_id,
        "tool": line.tool,
        "state": line.state,
    }
    return Event(message_id, _wire("progress", data), is_live=True)


def waiting(message_id: MessageId, line: Waiting) -> Event:
    """Return the event that says: the run has not started, and how many come first."""
    data = {"message_id": message_id, "before": line.before, "for_capacity": line.for_capacity}
    return Event(message_id, _wire("waiting", data), is_live=True)


def queued(message_id: MessageId) -> Event:
    """Return the event that says: nobody could look at the message yet."""
    data = {"message_id": message_id, "before": None, "for_capacity": False, "queued": True}
    return Event(message_id, _wire("waiting", data), is_live=True)


def delta(message_id: MessageId, line: Delta) -> Event:
    """Return a piece of the growing answer: it replaces what was there from `offset` on."""
    data = {"message_id": message_id, "offset": line.offset, "text": line.text}
    return Event(message_id, _wire("delta", data), is_live=True)


def end(
    message_id: MessageId,
    *,
    text: str,
    error: VisibleError | None,
    sequence: int,
    files: Sequence[FileRef] = (),
    choices: Sequence[Choice] = (),
) -> Event:
    """Return the one end of a message, with the id from which a stream can be resumed.

    A *sequence* of 0 is not known yet: the event then carries no id.
    """
    if error is None:
        data: dict[str, Any] = {"message_id": message_id, "text": with_choices(text, choices)}
        if files:
            data["files"] = [as_file(file) for file in files]
        wire = _wire("final", data, sequence)
    else:
        data = {"message_id": message_id, "error": as_error(error)}
        if choices:
            data["choices"] = [as_choice(message_id, choice) for choice in choices]
        wire = _wire("error", data, sequence)
    return Event(message_id, wire, sequence=sequence, is_end=True)


def end_of(message: OutboundMessage, sequence: int) -> Event:
    """Return the end that an OUTBOX message says."""
    data: dict[str, Any] = {"message_id": message.message_id}
    match message.kind:
        case OutboundKind.JOINED:
            wire = _wire("joined", {**data, "answered_with": message.answered_with}, sequence)
        case OutboundKind.DROPPED:
            wire = _wire("dropped", data, sequence)
        case _:
            return end(
                message.message_id,
                text=message.text,
                error=message.error,
                sequence=sequence,
                files=message.files,
                choices=message.choices,
            )
    return Event(message.message_id, wire, sequence=sequence, is_end=True)


def with_choices(text: str, choices: Sequence[Choice]) -> str:
    """Return *text* with what may be picked below it, as a person would write it here."""
    lines = [f"* {choice.label}: `{written(choice.command)}`" for choice in choices]
    return "\n\n".join(part for part in (text, "\n".join(lines)) if part)


def as_error(error: VisibleError) -> dict[str, str]:
    """Return a failure in the form of the HTTP contract."""
    return {"code": error.code, "message": error.message}


def as_choice(message_id: MessageId, choice: Choice) -> dict[str, str]:
    """Return what may be picked below an error: the message with which it is picked.

    Its id is made of what it is and of where it stands, so however often and by whomever it
    is posted, it is one message.
    """
    text = written(choice.command)
    return {"label": choice.label, "text": text, "id": f"pick-{short_hash(message_id, text)}"}


def as_file(file: FileRef) -> dict[str, Any]:
    """Return a file in the form of the HTTP contract."""
    return {"name": file.name, "media_type": file.media_type, "size_bytes": file.size_bytes}


def position(sequence: int) -> bytes:
    """Return what sets a client's `Last-Event-ID` without any event."""
    return f"id: {sequence}\n\n".encode()


def _wire(name: str, data: dict[str, Any], sequence: int = 0) -> bytes:
    head = f"id: {sequence}\nevent: {name}\n" if sequence else f"event: {name}\n"
    return b"".join((head.encode(), b"data: ", _encoder.encode(data), b"\n\n"))
