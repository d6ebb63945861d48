"""What programs need of the session store. The adapter for SQL keeps these promises.

Every method may raise `StoreUnavailableError`. What a method did is on disk when
it returns, and doing it again changes nothing.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sympozium.contract.desk import NotesAnswer, NotesRequest
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.names import RunUid
from sympozium.contract.run_events import Usage
from sympozium.store.records import (
    ChannelKey,
    Conversation,
    Cut,
    End,
    Message,
    MessageKey,
    Scene,
    Talk,
    Verdict,
)

__all__ = [
    "ChannelKey",
    "Conversation",
    "Cut",
    "Decide",
    "End",
    "Message",
    "MessageKey",
    "Messages",
    "Notes",
    "Revise",
    "Scene",
    "SessionStore",
    "StoreDeniedError",
    "StoreRefusedError",
    "StoreUnavailableError",
    "Talk",
    "Talks",
    "Transcripts",
    "Unfinished",
    "Upkeep",
    "Verdict",
]


class StoreUnavailableError(TransientError):
    """The store is away, locked or full. Nothing of the call is stored, or all of it."""


class StoreDeniedError(StoreUnavailableError):
    """The server does not let us in, or has no such database: a person must act.

    A program that starts ends with it. One that works goes on later: it is no fault of
    what was to be stored.
    """


class StoreRefusedError(PermanentError):
    """The store cannot hold this value, or its schema is not one that this program knows."""


Decide = Callable[[Scene], Verdict]
"""Decides what is stored of a new message. It may be called twice, and must only decide."""

Revise = Callable[[Sequence[Message]], Sequence[Message]]
"""Returns those of a conversation's open messages that are to be stored as changed. As `Decide`.

What may change is the text, `run_name`, `offered_to`, `carried_by`, `cut` and `begun_at`.
"""

MAX_OPEN = 250
"""Open messages of one conversation that a decision is shown: the first ones.

Who floods a conversation with more must not make everybody else's decisions slow.
"""


class Messages(Protocol):
    """The life of a message, one step a method."""

    async def known(self, key: MessageKey) -> Message | None:
        """Return a message as it is stored; None where it is not."""

    async def record(self, message: Message, decide: Decide | None = None) -> Message:
        """Store *message* unless its key is there; return what is stored now.

        With *decide* it is stored as that says, given the messages of its conversation
        that have no end, and together with what that changes of them.
        """

    async def revise(self, conversation: Conversation, revise: Revise) -> Sequence[Message]:
        """Show *revise* the open messages of a conversation; store and return what it changed.

        Open are those without an end, in their order. Nobody changes one in between.
        """

    async def started(self, key: MessageKey, run_uid: RunUid) -> Message:
        """Note that the run of a message exists; return it. The first uid noted stays."""

    async def finish(self, key: MessageKey, end: End, *, as_cut: Cut | None = None) -> Message:
        """Note the end of a recorded message; return it. The first end noted stays.

        With *as_cut* it is noted only while the message is cut short as that says: who read it
        before it was taken back knows an answer of which nothing may be told any more.
        """

    async def published(self, key: MessageKey, outbox_sequence: int) -> None:
        """Note that the end of a message was published."""


class Unfinished(Protocol):
    """Messages whose end is not published: what is left to do."""

    async def open_conversations(self) -> Sequence[Conversation]:
        """Return every conversation that has an unfinished message."""

    async def open_messages(self, conversation: Conversation, *, limit: int) -> Sequence[Message]:
        """Return the first *limit* unfinished messages of one conversation, in their order."""

    async def waiting_before(self, conversation: Conversation, before: int) -> int:
        """Return how many messages of sequences below *before* have no end."""

    async def last_end(self, conversation: Conversation, before: int) -> datetime | None:
        """Return when the last run of a message of a sequence below *before* ended."""

    async def handled(self, low: int, high: int, *, namespace: str = "") -> set[int]:
        """Return the INBOX sequences from *low* to *high* of which a run or an end is noted.

        Of all namespaces, unless one is named.
        """

    async def reopen(self, *, published_after: int) -> int:
        """Note of ends that were published above this sequence of OUTBOX that they were not.

        The stream does not hold them: it was restored from a backup. Returns how many.
        """

    async def unpublished(self, keys: Sequence[MessageKey]) -> set[MessageKey]:
        """Return those of *keys* that are stored and whose end is not published."""


class Transcripts(Protocol):
    """What was said."""

    async def transcript(
        self,
        conversation: Conversation,
        *,
        limit: int,
        before: int | None = None,
        since: int = 0,
    ) -> Sequence[Message]:
        """Return the newest *limit* messages, oldest first.

        Of sequences above *since* and below *before*.
        """

    async def is_run_of(self, channel: ChannelKey, uid: RunUid) -> bool:
        """Return whether the run of *uid*, deleted or not, answered a message of *channel*."""

    async def usage(self, conversation: Conversation, *, since: int) -> Usage:
        """Return the tokens that the messages of sequences above *since* have used."""


class Talks(Protocol):
    """What is known of a conversation beside its messages, and who was refused."""

    async def talk(self, conversation: Conversation) -> Talk:
        """Return what was chosen for a conversation."""

    async def leave(self, conversation: Conversation, sequence: int, *, now: datetime) -> None:
        """Note that people talk to each other since *sequence*; an earlier note is replaced."""

    async def may_tell(
        self, key: MessageKey, sender: str, *, now: datetime, again_after: timedelta
    ) -> bool:
        """Return whether *sender* is to be told about a refusal, and note that it was done.

        The same message gets the same answer; another one a yes after *again_after* only.
        """


class Upkeep(Protocol):
    """Keeping the store small and knowing that it is there."""

    async def check(self) -> None:
        """Return if the store answers, and could be written to when it last was tried."""

    def listen_to_return(self, listener: Callable[[], None]) -> None:
        """Have *listener* called whenever something succeeds after the store was away."""

    async def prune(
        self, *, ended_before: datetime, limit: int, up_to: int = ..., namespace: str = ""
    ) -> int:
        """Delete up to *limit* messages that were finished before then; return how many.

        Of those that the stream may still hold only the INBOX sequences up to *up_to* of
        *namespace* (empty: of all of them) go: what the bus delivers again must be known,
        however long nobody was there to settle it.

        Raises:
            ValueError: *ended_before* is younger than a tombstone must become.
        """

    async def prune_talks(self, *, unused_since: datetime, limit: int) -> int:
        """Delete up to *limit* choices for conversations that have no message any more.

        And notes of who was refused, of the same age.
        """


class Notes(Protocol):
    """What channels keep with us: notes by key, and claims that expire."""

    async def note(self, owner: ChannelKey, request: NotesRequest, *, now: datetime) -> NotesAnswer:
        """Keep, read and claim as *request* says, in one transaction."""

    async def trim_notes(self, owner: ChannelKey, *, most: int) -> int:
        """Delete the oldest notes of *owner* beyond *most*; return how many."""

    async def prune_notes(self, *, written_before: datetime, now: datetime, limit: int) -> int:
        """Delete up to *limit* notes written before then, and claims that have expired."""


class SessionStore(Messages, Unfinished, Transcripts, Talks, Upkeep, Notes, Protocol):
    """All of it."""
