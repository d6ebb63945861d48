"""Whether a message in a thread that does not name the bot is meant for it: a pure decision.

A thread is followed from when the bot was addressed in it and answered, or works on
an answer, for some time after the last message. It is left as soon as two people talk
to each other: one names somebody else, or somebody who never spoke to the bot there
writes without naming it. From then on only a mention brings the bot back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from sympozium.contract.messages import InboundMessage
from sympozium.store.ports import Message


class Following(Enum):
    """What becomes of a message that does not name the bot."""

    FOLLOW = "follow"
    """It is for the bot, as if it named it."""
    IGNORE = "ignore"
    """It is not, and nothing changes."""
    LEAVE = "leave"
    """It is not, and the thread is not followed from now on."""


@dataclass(frozen=True)
class Thread:
    """What is known of a thread.

    Attributes:
        messages: Its latest messages, oldest first; those of which nothing was stored are
            not among them.
        left_at: INBOX sequence of the message with which it was left last; 0: never.
    """

    messages: Sequence[Message]
    left_at: int = 0


def follow(inbound: InboundMessage, thread: Thread, *, for_: timedelta) -> Following:
    """Return what becomes of *inbound*, which was written *for_* or longer after the last one.

    Only messages that got, or wait for, an answer count: what was refused made nobody
    take part.
    """
    heard = [message for message in thread.messages if _was_heard(message)]
    addressed = [message.sequence for message in heard if message.inbound.addressed]
    if not addressed or max(addressed) < thread.left_at:
        return Following.IGNORE
    if inbound.mentions_others:
        return Following.LEAVE
    sender = inbound.sender.user_id
    if not any(message.inbound.sender.user_id == sender for message in heard):
        return Following.LEAVE
    if inbound.time - max(_last_spoken(message) for message in heard) > for_:
        return Following.IGNORE
    return Following.FOLLOW


def _was_heard(message: Message) -> bool:
    """Return whether an agent answered a message, or is to."""
    end = message.end
    return bool(
        message.run_uid or end is None or end.answered_with or (end.is_notice and not end.error)
    )


def _last_spoken(message: Message) -> datetime:
    end = message.end
    return message.inbound.time if end is None else max(message.inbound.time, end.time)
