"""What the session store holds: messages with their ends, and conversations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sympozium.contract.messages import (
    Choice,
    FileRef,
    InboundMessage,
    OutboundKind,
    VisibleError,
)
from sympozium.contract.names import ConversationId, MessageId, RunName, RunUid
from sympozium.contract.run_events import Usage

_NO_NAME = RunName("")
_NO_UID = RunUid("")
_NO_ID = MessageId("")
_NOTHING = Usage()


class ChannelKey(NamedTuple):
    """A channel, for the whole system."""

    namespace: str
    channel: str


class Conversation(NamedTuple):
    """A conversation, for the whole system. Its messages are ordered by INBOX sequence."""

    namespace: str
    channel: str
    conversation: ConversationId


class MessageKey(NamedTuple):
    """A message, for the whole system: two channels cannot disturb each other by equal ids."""

    namespace: str
    channel: str
    message_id: MessageId


@dataclass(frozen=True)
class End:
    """What a person is told at last: an answer or, with *error*, why there is none.

    Attributes:
        answered_with: The message whose answer answers this one too; nothing is said then.
        is_dropped: Nothing is said, because the message was withdrawn or needs no answer.
        absorbed: The messages that were handed to the run at work and that it took in.
        usage: What its run has used.
    """

    time: datetime
    text: str = ""
    error: VisibleError | None = None
    files: tuple[FileRef, ...] = ()
    choices: tuple[Choice, ...] = ()
    is_private: bool = False
    is_notice: bool = False
    answered_with: MessageId = _NO_ID
    is_dropped: bool = False
    absorbed: tuple[MessageId, ...] = ()
    usage: Usage = _NOTHING

    @property
    def kind(self) -> OutboundKind:
        """What a channel is told that this is."""
        if self.is_dropped:
            return OutboundKind.DROPPED
        if self.answered_with:
            return OutboundKind.JOINED
        return OutboundKind.FINAL if self.error is None else OutboundKind.ERROR

    @property
    def is_out_of_line(self) -> bool:
        """Whether it is told at once, wherever its message stands among those that wait.

        The order of a conversation is that of what agents say in it.
        """
        return self.is_notice or self.is_private or self.is_dropped


class Cut(StrEnum):
    """Why a message is to end before it is answered."""

    NOT = ""
    STOPPED = "stopped"
    """Somebody asked for it."""
    INTERRUPTED = "interrupted"
    """A newer message took over."""
    WITHDRAWN = "withdrawn"
    """Its sender deleted it."""


@dataclass(frozen=True)
class Message:
    """A person's message and how far it has come.

    Attributes:
        namespace: As its subject says, like *channel*; never what the message says.
        sequence: Its place in INBOX when it was first seen.
        run_name: The run that answers it; empty where it is refused, and while it waits for
            its turn.
        run_uid: Empty until the run is known to exist.
        end: None until it is decided; then it never changes.
        outbox_sequence: Where the end was published; 0 until it was.
        offered_to: The message to whose run this one was handed while it worked.
        carried_by: The message whose run has this one's text in its task too.
        cut: Why it is to end early; what is noted first stays.
        begun_at: When its run read its task; from then on its text does not change.
    """

    namespace: str
    channel: str
    inbound: InboundMessage
    sequence: int
    recorded_at: datetime
    agent: str = ""
    run_name: RunName = _NO_NAME
    run_uid: RunUid = _NO_UID
    end: End | None = None
    outbox_sequence: int = 0
    offered_to: MessageId = _NO_ID
    carried_by: MessageId = _NO_ID
    cut: Cut = Cut.NOT
    begun_at: datetime | None = None

    @property
    def id(self) -> MessageId:
        """Its id within its channel."""
        return self.inbound.message_id

    @property
    def key(self) -> MessageKey:
        """Its identity."""
        return MessageKey(self.namespace, self.channel, self.inbound.message_id)

    @property
    def conversation(self) -> Conversation:
        """Where it was said."""
        return Conversation(self.namespace, self.channel, self.inbound.conversation)


@dataclass(frozen=True)
class Talk:
    """What is known of a conversation beside its messages.

    Attributes:
        agent: Who was chosen to answer; empty: nobody.
        model: Which model was chosen; empty: none.
        since: INBOX sequence up to which everything is forgotten.
        left_at: INBOX sequence of the last message by which people talked to each other and
            not to the bot: its thread is not followed until the bot is addressed again.
    """

    agent: str = ""
    model: str = ""
    since: int = 0
    left_at: int = 0


@dataclass(frozen=True)
class Scene:
    """What a decision about a new message is shown.

    Attributes:
        open: The messages of its conversation that have no end, in their order.
    """

    open: Sequence[Message]
    talk: Talk


@dataclass(frozen=True)
class Verdict:
    """What is stored of a new message.

    Attributes:
        changed: Open messages as they are to be from now on.
        talk: What is chosen from now on; None: as before.
    """

    message: Message
    changed: Sequence[Message] = ()
    talk: Talk | None = None
