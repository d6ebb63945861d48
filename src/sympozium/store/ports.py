"""What programs need of the session store. The adapter for SQL keeps these promises.

Every method may raise `StoreUnavailableError`. What a method did is on disk when
it returns, and doing it again changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from sympozium.contract.desk import NotesAnswer, NotesRequest
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.messages import InboundMessage, VisibleError
from sympozium.contract.names import ConversationId, MessageId, RunName, RunUid

_NO_NAME = RunName("")
_NO_UID = RunUid("")


class StoreUnavailableError(TransientError):
    """The store is away, locked or full. Nothing of the call is stored, or all of it."""


class StoreRefusedError(PermanentError):
    """The store cannot hold this value, or its schema is not one that this program knows."""


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
    """What a person is told at last: an answer or, with *error*, why there is none."""

    time: datetime
    text: str = ""
    error: VisibleError | None = None


@dataclass(frozen=True)
class Message:
    """A person's message and how far it has come.

    Attributes:
        namespace: As its subject says, like *channel*; never what the message says.
        sequence: Its place in INBOX when it was first seen.
        run_name: The run that answers it; empty where it is refused.
        run_uid: Empty until the run is known to exist.
        end: None until it is decided; then it never changes.
        outbox_sequence: Where the end was published; 0 until it was.
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

    @property
    def key(self) -> MessageKey:
        """Its identity."""
        return MessageKey(self.namespace, self.channel, self.inbound.message_id)

    @property
    def conversation(self) -> Conversation:
        """Where it was said."""
        return Conversation(self.namespace, self.channel, self.inbound.conversation)


class Messages(Protocol):
    """The life of a message, one step a method."""

    async def record(self, message: Message) -> Message:
        """Store *message* unless its key is there; return what is stored now."""

    async def started(self, key: MessageKey, run_uid: RunUid) -> None:
        """Note that the run of a message exists. The first uid noted stays."""

    async def finish(self, key: MessageKey, end: End) -> Message:
        """Note the end of a recorded message; return it. The first end noted stays."""

    async def published(self, key: MessageKey, outbox_sequence: int) -> None:
        """Note that the end of a message was published."""


class Unfinished(Protocol):
    """Messages whose end is not published: what is left to do."""

    async def open_conversations(self) -> Sequence[Conversation]:
        """Return every conversation that has an unfinished message."""

    async def open_messages(self, conversation: Conversation, *, limit: int) -> Sequence[Message]:
        """Return the first *limit* unfinished messages of one conversation, in their order."""

    async def last_end(self, conversation: Conversation, before: int) -> datetime | None:
        """Return when the latest end of the messages with a sequence below *before* was noted."""

    async def handled(self, low: int, high: int) -> set[int]:
        """Return the INBOX sequences from *low* to *high* of which a run or an end is noted."""


class Transcripts(Protocol):
    """What was said."""

    async def transcript(
        self, conversation: Conversation, *, limit: int, before: int | None = None
    ) -> Sequence[Message]:
        """Return the newest *limit* messages, oldest first, of sequences below *before*."""

    async def is_run_of(self, channel: ChannelKey, uid: RunUid) -> bool:
        """Return whether the run of *uid*, deleted or not, answered a message of *channel*."""


class Upkeep(Protocol):
    """Keeping the store small and knowing that it is there."""

    async def check(self) -> None:
        """Return if the store answers."""

    async def prune(self, *, ended_before: datetime, limit: int) -> int:
        """Delete up to *limit* messages that were finished before then; return how many.

        Raises:
            ValueError: *ended_before* is younger than a tombstone must become.
        """


class Notes(Protocol):
    """What channels keep with us: notes by key, and claims that expire."""

    async def note(self, owner: ChannelKey, request: NotesRequest, *, now: datetime) -> NotesAnswer:
        """Keep, read and claim as *request* says, in one transaction."""

    async def trim_notes(self, owner: ChannelKey, *, most: int) -> int:
        """Delete the oldest notes of *owner* beyond *most*; return how many."""

    async def prune_notes(self, *, written_before: datetime, now: datetime, limit: int) -> int:
        """Delete up to *limit* notes written before then, and claims that have expired."""


class SessionStore(Messages, Unfinished, Transcripts, Upkeep, Notes, Protocol):
    """All of it."""
