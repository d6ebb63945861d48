"""The channel's own reference to a message: what it must know to answer it, and no token."""

from dataclasses import dataclass

from typing_extensions import override

from sympozium.contract.errors import PermanentError
from sympozium_discord.snowflake import is_id

_THREAD, _HERE, _INTERACTION = "t", "h", "i"


@dataclass(frozen=True)
class ReplyTo:
    """Where an answer belongs.

    Attributes:
        channel: The channel, thread or direct chat that the message is in.
        message: The message; of an interaction, its id.
        begins_thread: The answer goes into a thread that hangs on the message.
        is_interaction: *message* is an interaction: there is nothing to react to, and for
            15 minutes it can be answered for the person alone.
    """

    channel: str
    message: str
    begins_thread: bool = False
    is_interaction: bool = False

    @override
    def __str__(self) -> str:
        kind = _INTERACTION if self.is_interaction else _THREAD if self.begins_thread else _HERE
        return f"{kind}:{self.channel}:{self.message}"


def read_reply_to(text: str) -> ReplyTo:
    """Read what `str` wrote.

    Raises:
        PermanentError: This channel did not write it.
    """
    kind, _, rest = text.partition(":")
    channel, _, message = rest.partition(":")
    if kind not in {_THREAD, _HERE, _INTERACTION} or not (is_id(channel) and is_id(message)):
        raise PermanentError("cannot answer a message: its reference is not one of this channel's")
    return ReplyTo(
        channel, message, begins_thread=kind == _THREAD, is_interaction=kind == _INTERACTION
    )
