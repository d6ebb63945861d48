"""Reading what a channel put into INBOX, without trusting it.

Namespace and channel come from the subject, which the bus lets only that channel
publish on. What a message says of itself cannot name another's.
"""

import re
from dataclasses import dataclass

import msgspec

from sympozium.contract.envelope import open_any_version, unwrap
from sympozium.contract.errors import PermanentError
from sympozium.contract.files import MAX_ID_CHARS, file_problem
from sympozium.contract.limits import MAX_FILES, MAX_TEXT_BYTES
from sympozium.contract.messages import InboundKind, InboundMessage, Sender
from sympozium.contract.names import ConversationId, MessageId, is_message_id
from sympozium.contract.subjects import channel_of
from sympozium.store.ports import Conversation

_COMMAND = re.compile(r"[a-z0-9_-]{1,64}")

MAX_ARGUMENTS_CHARS = 2000
MAX_GROUPS = 500
"""Discord knows at most 250 roles in a server."""

MAX_REPLY_TO_CHARS = 8000
"""It is kept with the message and sent back with all that is said about it."""


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
    reply_to: str = ""


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
    problem = _problem(inbound, channel)
    return Letter(sequence, namespace, channel, _bounded(inbound) if problem else inbound, problem)


def _problem(inbound: InboundMessage, channel: str) -> str:
    """Return why a message of *channel* cannot be handled; empty where it can."""
    for problem in (_text_problem(inbound), _kind_problem(inbound), _size_problem(inbound)):
        if problem:
            return problem
    if len(inbound.files) > MAX_FILES:
        return f"it has {len(inbound.files)} files; at most {MAX_FILES} are accepted"
    if any(ref.owner != channel for ref in inbound.files):
        return "one of its files did not come by its channel"
    return next(filter(None, map(file_problem, inbound.files)), "")


def _text_problem(inbound: InboundMessage) -> str:
    says_something = inbound.kind in {InboundKind.MESSAGE, InboundKind.EDIT}
    if says_something and not inbound.text.strip() and not inbound.files:
        return "its text is empty"
    size = len(inbound.text.encode(errors="replace"))
    if size > MAX_TEXT_BYTES:
        return f"its text has {size} bytes; at most {MAX_TEXT_BYTES} are accepted"
    return ""


def _kind_problem(inbound: InboundMessage) -> str:
    if inbound.kind in {InboundKind.EDIT, InboundKind.DELETE}:
        return "" if is_message_id(inbound.target) else "it names no message that it is about"
    if inbound.kind is not InboundKind.COMMAND:
        return ""
    if inbound.command is None or not _COMMAND.fullmatch(inbound.command.name):
        return "it names no command"
    if len(inbound.command.arguments) > MAX_ARGUMENTS_CHARS:
        return f"its command has more than {MAX_ARGUMENTS_CHARS} characters of arguments"
    return ""


def _size_problem(inbound: InboundMessage) -> str:
    sender, place = inbound.sender, inbound.place
    ids = (place.chat, place.thread, sender.user_id, sender.workspace, *sender.groups)
    if len(sender.groups) > MAX_GROUPS or any(len(id_) > MAX_ID_CHARS for id_ in ids):
        return "what it says of its sender or place is too long"
    if len(inbound.reply_to) > MAX_REPLY_TO_CHARS:
        return f"its reference has more than {MAX_REPLY_TO_CHARS} characters"
    if len(inbound.quoted.encode(errors="replace")) > MAX_TEXT_BYTES:
        return f"what it quotes has more than {MAX_TEXT_BYTES} bytes"
    return ""


def _has_good_ids(message_id: str, conversation: str) -> bool:
    return is_message_id(message_id) and is_message_id(conversation)


def _bounded(inbound: InboundMessage) -> InboundMessage:
    """Return what of a message that cannot be handled is kept, and sent back with the refusal."""
    kept = inbound.text.encode(errors="replace")[:MAX_TEXT_BYTES].decode(errors="ignore")
    reply_to = inbound.reply_to if len(inbound.reply_to) <= MAX_REPLY_TO_CHARS else ""
    return msgspec.structs.replace(inbound, text=kept, quoted="", files=[], reply_to=reply_to)


def _answerable(data: bytes) -> InboundMessage | None:
    """Return enough of an unreadable message to tell its sender so, if there is enough."""
    try:
        envelope = open_any_version(data)
        ids = msgspec.json.decode(envelope.payload, type=_Ids)
    except (PermanentError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not _has_good_ids(ids.message_id, ids.conversation):
        return None
    if len(ids.reply_to) > MAX_REPLY_TO_CHARS:
        return None
    return InboundMessage(
        message_id=ids.message_id,
        conversation=ids.conversation,
        sender=_NOBODY,
        text="",
        time=envelope.time,
        reply_to=ids.reply_to,
    )
