"""What people say and what they are shown: the payloads of INBOX, OUTBOX and `history`."""

from datetime import datetime
from enum import StrEnum

import msgspec

from sympozium.contract.names import ConversationId, MessageId, RunName, RunUid


class _Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    pass


class Sender(_Wire, frozen=True, kw_only=True):
    """Who wrote a message: stable ids only; the name is for showing.

    Attributes:
        user_id: The platform's id of the person. Access is decided by it.
        workspace: The platform's workspace, team or server; empty where there is none.
    """

    platform: str
    user_id: str
    workspace: str = ""
    display_name: str = ""


class InboundMessage(_Wire, frozen=True, kw_only=True):
    """One message from a person. Which channel it came through is said by its subject."""

    message_id: MessageId
    conversation: ConversationId
    sender: Sender
    text: str
    time: datetime


class OutboundKind(StrEnum):
    """What a channel is to show."""

    ACCEPTED = "accepted"
    """A run exists for the message: show "working on it", follow its live tokens."""
    FINAL = "final"
    """The answer. Exactly one of FINAL and ERROR ends a message."""
    ERROR = "error"
    """The sentence that says why there is no answer."""


class VisibleError(_Wire, frozen=True, kw_only=True):
    """A failure in words for a person.

    Attributes:
        code: Stable, for programs: a `Reason`.
        message: A sentence with the run's name, never an exception's text.
    """

    code: str
    message: str


class OutboundMessage(_Wire, frozen=True, kw_only=True):
    """One thing for a channel to show in a conversation, in answer to one message."""

    kind: OutboundKind
    message_id: MessageId
    conversation: ConversationId
    run_name: RunName = RunName("")
    run_uid: RunUid = RunUid("")
    agent: str = ""
    text: str = ""
    error: VisibleError | None = None


def outbound_id(message_id: MessageId, kind: OutboundKind) -> str:
    """Identify an outbound message for the bus: one `accepted` and one end a message.

    FINAL and ERROR share an id, so a message cannot be given both.
    """
    step = "accepted" if kind is OutboundKind.ACCEPTED else "end"
    return f"{message_id}/{step}"


class EntryState(StrEnum):
    """How far a person's message has come."""

    STORED = "stored"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Role(StrEnum):
    """Who wrote an entry of a transcript."""

    USER = "user"
    ASSISTANT = "assistant"


class Entry(_Wire, frozen=True, kw_only=True):
    """One entry of a transcript.

    Attributes:
        id: The message id; an answer's is that of its message with `/reply`.
        sequence: For an assistant's entry, its OUTBOX sequence; 0 until it is published.
    """

    id: str
    role: Role
    text: str
    time: datetime
    state: EntryState = EntryState.DONE
    in_reply_to: MessageId | None = None
    error: VisibleError | None = None
    sequence: int = 0
    run_name: RunName = RunName("")
    run_uid: RunUid = RunUid("")


class HistoryRequest(_Wire, frozen=True, kw_only=True):
    """A channel asks for one of its own conversations, oldest entry first.

    Attributes:
        limit: The newest so many entries.
    """

    conversation: ConversationId
    limit: int = 500


class HistoryAnswer(_Wire, frozen=True, kw_only=True):
    """The transcript. *error* is set, and the entries are empty, when it cannot be had now."""

    entries: list[Entry] = []
    error: str = ""
