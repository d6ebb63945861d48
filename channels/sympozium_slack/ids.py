"""Names of messages and conversations in Slack, and the reference by which an answer finds back."""

from dataclasses import dataclass

from sympozium.contract.errors import PermanentError
from sympozium.contract.names import ConversationId, MessageId

_SEPARATOR = ":"


def message_id(team: str, channel: str, ts: str) -> MessageId:
    """Identify a message: one post is one message, however many events tell of it."""
    return MessageId(f"slack:{team}:{channel}:{ts}")


def edit_id(target: MessageId, edit_ts: str) -> MessageId:
    """Identify one change of a message."""
    return MessageId(f"{target}:edit:{edit_ts}")


def deletion_id(target: MessageId) -> MessageId:
    """Identify the deletion of a message."""
    return MessageId(f"{target}:del")


def command_id(team: str, channel: str, trigger: str) -> MessageId:
    """Identify a command or a click by what Slack calls its trigger."""
    return MessageId(f"slack:{team}:{channel}:cmd:{trigger}")


def form_id(team: str, channel: str, view: str) -> MessageId:
    """Identify what was sent with a form: a form is sent once."""
    return MessageId(f"slack:{team}:{channel}:view:{view}")


def conversation_id(team: str, channel: str, thread: str) -> ConversationId:
    """Name a conversation: a thread, or with an empty *thread* a whole direct chat or channel."""
    return ConversationId(_SEPARATOR.join(part for part in (team, channel, thread) if part))


def is_direct(channel: str) -> bool:
    """Return whether a channel id is that of a chat between one person and the bot."""
    return channel.startswith("D")


@dataclass(frozen=True)
class Origin:
    """Where a message was written: what is given back with everything said about it.

    Attributes:
        ts: The message itself; empty for a command, which is no message.
        thread: Thread that answers go into; empty: the chat itself.
        user: Who wrote it, and so who alone sees what is private.
        team: The writer's workspace.
    """

    channel: str
    ts: str
    thread: str
    user: str
    team: str

    def written(self) -> str:
        """Return it as `InboundMessage.reply_to`."""
        return _SEPARATOR.join((self.channel, self.ts, self.thread, self.user, self.team))

    @property
    def is_direct(self) -> bool:
        """Only the person and the bot are there."""
        return is_direct(self.channel)


def read_origin(reply_to: str) -> Origin:
    """Read what `Origin.written` wrote.

    Raises:
        PermanentError: It is something else.
    """
    parts = reply_to.split(_SEPARATOR)
    if len(parts) != 5 or not parts[0]:
        raise PermanentError(
            f"cannot answer in Slack: {reply_to!r} does not say where; this channel did not make it"
        )
    return Origin(*parts)
