"""Ids of Telegram as the rest of the system writes them: conversations, messages, references."""

from dataclasses import dataclass

from sympozium.chat.platform import PostId
from sympozium.contract.errors import PermanentError
from sympozium.contract.names import ConversationId, MessageId


@dataclass(frozen=True)
class Spot:
    """A chat, or a topic in it.

    Attributes:
        topic: 0 outside of a topic.
    """

    chat: int
    topic: int = 0

    @property
    def is_private(self) -> bool:
        """Whether it is a person's chat with the bot: only those have positive ids."""
        return self.chat > 0


@dataclass(frozen=True)
class Reference:
    """What `InboundMessage.reply_to` says: where an answer belongs and what it answers.

    Attributes:
        message: The message that is answered.
        is_ours: It is a message of the bot, under which a button was pressed.
    """

    spot: Spot
    message: int
    is_ours: bool = False


def conversation_id(spot: Spot) -> ConversationId:
    """Name the conversation of a chat or of a topic."""
    return ConversationId(f"{spot.chat}:{spot.topic}" if spot.topic else str(spot.chat))


def message_id(bot: int, update: int) -> MessageId:
    """Identify what came with one update, which Telegram numbers for each bot."""
    return MessageId(f"telegram:{bot}:{update}")


def written_reference(reference: Reference) -> str:
    """Return a reference as a message carries it."""
    kind = "b" if reference.is_ours else "m"
    return f"{reference.spot.chat}:{reference.spot.topic}:{reference.message}:{kind}"


def read_reference(text: str) -> Reference:
    """Read what `written_reference` wrote.

    Raises:
        PermanentError: It was not written by this channel.
    """
    try:
        chat, topic, message, kind = text.split(":")
        return Reference(Spot(int(chat), int(topic)), int(message), is_ours=kind == "b")
    except ValueError:
        raise PermanentError(
            f"cannot show an answer: {text!r} is no reference of a Telegram channel"
        ) from None


def post_id(chat: int, message: int) -> PostId:
    """Name a message of ours."""
    return PostId(f"{chat}:{message}")


def read_post(post: PostId) -> tuple[int, int]:
    """Return the chat and the message of what `post_id` named.

    Raises:
        PermanentError: It was not named by this channel.
    """
    try:
        chat, message = post.split(":")
        return int(chat), int(message)
    except ValueError:
        raise PermanentError(
            f"cannot change a message: {post!r} is no message of a Telegram channel"
        ) from None
