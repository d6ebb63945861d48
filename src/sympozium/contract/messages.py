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
    groups: list[str] = []
    """The platform's ids of the groups or roles that the person has, where it says so."""


class Place(_Wire, frozen=True, kw_only=True):
    """Where at its platform a message was written, in the platform's own ids.

    Attributes:
        chat: The channel, group or private chat.
        thread: The thread or topic within it; empty outside of one.
        is_direct: Only the person and the bot are there.
    """

    chat: str = ""
    thread: str = ""
    is_direct: bool = False


class FileRef(_Wire, frozen=True, kw_only=True):
    """A file that waits in the FILES stream; see `subjects.file_part`.

    Attributes:
        owner: The Channel by which it came, or the uid of the run that made it.
        parts: Into how many messages it is cut.
    """

    id: str
    owner: str
    name: str
    media_type: str = "application/octet-stream"
    size_bytes: int
    parts: int


class InboundKind(StrEnum):
    """What a person did."""

    MESSAGE = "message"
    EDIT = "edit"
    """They changed the message `target`; `text` is what it says now."""
    DELETE = "delete"
    """They deleted the message `target`."""
    COMMAND = "command"
    """They asked the system, not an agent: `command` says what. Buttons are commands too."""


class Command(_Wire, frozen=True, kw_only=True):
    """A command without its `/` or `!`.

    Attributes:
        name: In lower case; the router answers a name that it does not know.
        arguments: What followed the name, as it was written.
    """

    name: str
    arguments: str = ""


class InboundMessage(_Wire, frozen=True, kw_only=True):
    """One message from a person. Which channel it came through is said by its subject.

    Attributes:
        text: Without the mention of the bot. May be empty where there are files, and in
            a command.
        addressed: Whether it is meant for the bot for certain: a direct message, a mention,
            a reply to the bot, a command. False: it was written in a thread without naming
            the bot, and is answered only where the router knows the thread to be followed.
        mentions_others: It names a person other than the bot.
        target: The message that an EDIT or a DELETE is about.
        reply_to: The channel's own reference to the message at its platform; opaque to
            everyone else, and given back with everything that is said about the message.
        quoted: Text that the message stands in reply to, or that a bot posted beside it.
    """

    message_id: MessageId
    conversation: ConversationId
    sender: Sender
    text: str
    time: datetime
    kind: InboundKind = InboundKind.MESSAGE
    place: Place = Place()
    addressed: bool = True
    mentions_others: bool = False
    target: MessageId = MessageId("")
    command: Command | None = None
    reply_to: str = ""
    quoted: str = ""
    files: list[FileRef] = []


class UnreadableEvent(_Wire, frozen=True, kw_only=True):
    """A dead letter of a channel: an event of its platform that no message could be made of.

    Attributes:
        event: As it came, as far as it is text.
        reason: What is wrong with it, for the operator.
    """

    event: str
    reason: str


class OutboundKind(StrEnum):
    """What a channel is to show. Exactly one of the last four ends a message."""

    ACCEPTED = "accepted"
    """A run exists for the message: show "working on it", follow its live tokens."""
    FINAL = "final"
    """The answer."""
    ERROR = "error"
    """The sentence that says why there is no answer."""
    JOINED = "joined"
    """The answer to `answered_with` answers this message too; nothing new is said."""
    DROPPED = "dropped"
    """Its sender withdrew it before anybody worked on it: nothing is said."""


class VisibleError(_Wire, frozen=True, kw_only=True):
    """A failure in words for a person.

    Attributes:
        code: Stable, for programs: a `Reason`.
        message: A sentence with the run's name, never an exception's text.
    """

    code: str
    message: str


class Choice(_Wire, frozen=True, kw_only=True):
    """Something that a person may pick: a button, or an entry of a menu.

    Attributes:
        command: What picking it asks for, as `Command` has it.
    """

    label: str
    command: Command


class OutboundMessage(_Wire, frozen=True, kw_only=True):
    """One thing for a channel to show in a conversation, in answer to one message.

    Attributes:
        reply_to: As it came with the message.
        agent: Name of the Agent that answers.
        waiting_for: In ACCEPTED: how many messages of the conversation come first.
        answered_with: In JOINED: the message with whose answer this one is answered.
        choices: Under the text, where the platform has buttons; else written out.
        is_private: Only the sender is to see it, where the platform can do that.
        is_notice: A FINAL of the system itself (a command's answer), not of an agent.
        again_for: The message whose end this is, sent again under an id of its own because
            that end was refused: a placeholder that still stands there goes.
    """

    kind: OutboundKind
    message_id: MessageId
    conversation: ConversationId
    run_name: RunName = RunName("")
    run_uid: RunUid = RunUid("")
    agent: str = ""
    text: str = ""
    error: VisibleError | None = None
    reply_to: str = ""
    waiting_for: int = 0
    answered_with: MessageId = MessageId("")
    files: list[FileRef] = []
    choices: list[Choice] = []
    is_private: bool = False
    is_notice: bool = False
    again_for: MessageId = MessageId("")


def inbound_id(namespace: str, channel: str, message_id: MessageId) -> str:
    """Identify an inbound message for the bus.

    The stream is everybody's, and a message's id is what its channel says it is: one
    channel must not be able to use up the ids of another's messages.
    """
    return f"{namespace}/{channel}/{message_id}"


def outbound_id(message_id: MessageId, kind: OutboundKind) -> str:
    """Identify an outbound message for the bus: one `accepted` and one end a message.

    All ends share an id, so a message cannot be given two.
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
        choices: What may be picked below it.
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
    files: list[FileRef] = []
    choices: list[Choice] = []


class HistoryRequest(_Wire, frozen=True, kw_only=True):
    """A channel asks for one of its own conversations, oldest entry first.

    Attributes:
        limit: The newest so many entries.
    """

    conversation: ConversationId
    limit: int = 500


class HistoryAnswer(_Wire, frozen=True, kw_only=True):
    """The transcript. *error* is set, and the entries are empty, when it cannot be had now.

    Attributes:
        has_earlier: There are more messages, older than these, which are left out.
    """

    entries: list[Entry] = []
    error: str = ""
    has_earlier: bool = False
