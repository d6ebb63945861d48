"""Reading what a channel put into INBOX, without trusting it.

Namespace and channel come from the subject, which the bus lets only that channel
publish on. What a message says of itself cannot name another's.
"""

import re
from dataclasses import dataclass

import msgspec

from sympozium.contract.envelope import open_envelope, unwrap
from sympozium.contract.errors import PermanentError
from sympozium.contract.limits import MAX_TEXT_BYTES
from sympozium.contract.messages import InboundMessage, Sender
from sympozium.contract.names import ConversationId, MessageId
from sympozium.contract.subjects import channel_of
from sympozium.store.ports import Conversation

_ID = re.compile(r"[\x21-\x7e]{1,500}")
"""What may be a message's or a conversation's id: it travels in a header of the bus."""


@dataclass(frozen=True)
class Letter:
    """One stored message, read as far as it could be.

    Attributes:
        inbound: None where nothing of it can be answered.
        problem: Why it cannot be handled; empty where it can.
    """

    sequence: int
    namespace: str
    channel: str
    inbound: InboundMessage | None
    problem: str = ""

    @property
    def conversation(self) -> Conversation:
        """Where it was said. What cannot be read has one of its own in each channel."""
        said_in = self.inbound.conversation if self.inbound else ConversationId("")
        return Conversation(self.namespace, self.channel, said_in)


_NOBODY = Sender(platform="", user_id="")


class _Ids(msgspec.Struct, rename="camel"):
    message_id: MessageId
    conversation: ConversationId


def read_letter(subject: str, sequence: int, data: bytes) -> Letter:
    """Read a stored message; what is wrong with it is in the letter."""
    try:
        namespace, channel = channel_of(subject)
    except PermanentError as error:
        return Letter(sequence, "", "", None, str(error))
    try:
        inbound = unwrap(data, InboundMessage)
    except PermanentError as error:
        return Letter(sequence, namespace, channel, _answerable(data), str(error))
    if not _has_good_ids(inbound.message_id, inbound.conversation):
        return Letter(sequence, namespace, channel, None, "its ids are no printable ASCII")
    return Letter(sequence, namespace, channel, inbound, _problem(inbound.text))


def _problem(text: str) -> str:
    if not text.strip():
        return "its text is empty"
    size = len(text.encode(errors="replace"))
    if size > MAX_TEXT_BYTES:
        return f"its text has {size} bytes; at most {MAX_TEXT_BYTES} are accepted"
    return ""


def _has_good_ids(message_id: str, conversation: str) -> bool:
    return bool(_ID.fullmatch(message_id) and _ID.fullmatch(conversation))


def _answerable(data: bytes) -> InboundMessage | None:
    """Return enough of an unreadable message to tell its sender so, if there is enough."""
    try:
        envelope = open_envelope(data)
        ids = msgspec.json.decode(envelope.payload, type=_Ids)
    except (PermanentError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not _has_good_ids(ids.message_id, ids.conversation):
        return None
    return InboundMessage(
        message_id=ids.message_id,
        conversation=ids.conversation,
        sender=_NOBODY,
        text="",
        time=envelope.time,
    )
