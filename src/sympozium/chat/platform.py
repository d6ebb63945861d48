"""What the common code needs of a platform; each channel package has an adapter that keeps it.

Every method makes one attempt, within the adapter's own timeout, and says what came
of it by returning or by one of the errors of `chat.errors`. Waiting, trying again
and giving up are decided by the common code, once for all platforms.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType, Protocol

from sympozium.chat.capabilities import Capabilities
from sympozium.chat.markup import Piece
from sympozium.contract.messages import Choice
from sympozium.contract.names import ConversationId, MessageId

PostId = NewType("PostId", str)
"""A message of ours, in the platform's own terms; opaque to everyone but its adapter."""


class Mark(StrEnum):
    """What a reaction on a person's message says. It never goes back."""

    HELD = "held"
    """Not stored yet: the bus has no room, or is away. It comes again until it is."""
    STORED = "stored"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    NONE = "none"
    """No reaction: the message was withdrawn, or asked the system and not an agent."""


@dataclass(frozen=True)
class Target:
    """What something is shown in answer to: it may appear there and nowhere else.

    Attributes:
        reply_to: What the channel said of the message in `InboundMessage.reply_to`.
        in_chat: Its thread is gone: what is said of it is said in the chat that it was in.
            Set after a `ThreadGoneError`.
    """

    conversation: ConversationId
    message_id: MessageId
    reply_to: str
    in_chat: bool = False


@dataclass(frozen=True)
class Shown:
    """One message of the platform.

    Attributes:
        piece: Its text in the platform's dialect, and without markup.
        choices: To be shown as buttons or a menu; empty where the platform has none.
        author: The Agent in whose name it is said, where the platform can show it; or empty.
        is_private: For the sender alone; only where the platform can do that.
        is_plain: `piece.plain` is to be sent, as literal text, and not `piece.text`. Set
            after a `MarkupRefusedError`.
    """

    piece: Piece
    choices: tuple[Choice, ...] = ()
    author: str = ""
    is_private: bool = False
    is_plain: bool = False


@dataclass(frozen=True)
class Growing:
    """An answer that is being written.

    Attributes:
        markdown: All of it so far, as the model wrote it.
        piece: All that is to be seen in one message, *status* included, in the platform's
            dialect. Who shows *markdown* or *status* by other means need not use it.
        status: What is being done, in a few words of plain text ("cluster-reader, 12 s");
            may be empty.
        choices: Such as Stop.
    """

    markdown: str
    piece: Piece
    status: str = ""
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class Attachment:
    """A file to send."""

    name: str
    media_type: str
    data: bytes


class Posts(Protocol):
    """Messages of ours."""

    async def post(self, target: Target, shown: Shown, *, key: str, again: bool) -> PostId:
        """Show something new and return what it can be edited by.

        Args:
            target: Where it belongs.
            shown: What it says.
            key: Identity of this post. A platform that recognises a repetition is given it.
                A placeholder and the end that replaces it have the same key.
            again: It may have been posted before under this key, and the answer was lost.
                The adapter then looks for it first, where the platform lets it.

        Raises:
            TransientError: It may or may not be there; the same call goes on later.
            PlatformBusyError: It is not there; nothing may be sent for a while.
            MarkupRefusedError: It is not there; the plain text may be accepted.
            ThreadGoneError: The thread is gone, its chat is not.
            PermanentError: It can never be shown.
        """

    async def edit(self, target: Target, post: PostId, shown: Shown) -> None:
        """Make a message of ours say *shown*. That it says so already is success.

        Raises:
            PostGoneError: It was deleted, or is too old to be changed.
            TransientError, PlatformBusyError, MarkupRefusedError, PermanentError: As `post`.
        """

    async def remove(self, target: Target, post: PostId) -> None:
        """Delete a message of ours. That it is gone is success; raises as `edit`."""


class Signals(Protocol):
    """What is seen and not kept. None of it is tried again."""

    async def grow(self, target: Target, post: PostId, growing: Growing) -> None:
        """Show how far the answer has come, in the placeholder *post* or beside it.

        The edit that ends the answer replaces whatever this showed. Raises as `edit`.
        """

    async def signal(self, target: Target, status: str) -> None:
        """Show that something is being done: "typing", or a status line; raises as `edit`."""

    async def mark(self, target: Target, mark: Mark) -> None:
        """Put the reaction for *mark* on the person's message, and take the earlier one away.

        That it is there already is success; raises as `edit`.
        """


class Uploads(Protocol):
    """Files."""

    async def upload(self, target: Target, file: Attachment, *, key: str, again: bool) -> None:
        """Send a file; *key*, *again* and the errors as `Posts.post`."""


class Platform(Posts, Signals, Uploads, Protocol):
    """All of it, for one bot account."""

    @property
    def capabilities(self) -> Capabilities:
        """What this platform can do."""

    def chat_of(self, target: Target) -> str:
        """Return the chat whose budget *target* uses: threads and topics share their chat's."""
