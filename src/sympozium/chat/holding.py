"""While a message cannot be stored, its sender sees that it is not yet.

The platform brings it again, or the channel holds it, for as long as it takes. Without a
sign of that a person meets silence exactly when everybody writes: when INBOX is full.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sympozium.bus.ports import BusDeniedError
from sympozium.chat.outbox.reactions import Marks
from sympozium.chat.platform import Mark, Target
from sympozium.contract.errors import TransientError
from sympozium.contract.messages import InboundKind, InboundMessage


@contextmanager
def seen_to_wait(marks: Marks, message: InboundMessage) -> Iterator[None]:
    """Mark *message* as not stored yet, if the block that stores it raises what passes.

    However often it is tried: the mark is put there once.
    """
    try:
        yield
    except (TransientError, BusDeniedError):
        hold(marks, message)
        raise


def hold(marks: Marks, message: InboundMessage) -> None:
    """Mark *message* as not stored yet, where its sender waits for something to happen."""
    is_asked = message.kind is InboundKind.MESSAGE and message.addressed
    if is_asked or message.kind is InboundKind.COMMAND:
        marks.reach(_target_of(message), Mark.HELD)


def stored(marks: Marks, message: InboundMessage) -> None:
    """Mark *message* as stored; of a command only what said that it was not is taken away."""
    if message.kind is InboundKind.COMMAND:
        marks.reach(_target_of(message), Mark.NONE)
    elif message.kind is InboundKind.MESSAGE and message.addressed:
        marks.stored(_target_of(message))


def _target_of(message: InboundMessage) -> Target:
    return Target(message.conversation, message.message_id, message.reply_to)
