"""Names and ids: deterministic, so that doing a thing again meets what is already there."""

import base64
import hashlib
import re
from typing import NewType

from sympozium.contract.limits import MAX_NAME_CHARS

MessageId = NewType("MessageId", str)
"""Identity of an inbound message at its platform: `web:<ns>/<channel>:<conversation>:<id>`."""

ConversationId = NewType("ConversationId", str)
"""Identity of a conversation within its channel: for the web, the name in the URL."""

RunName = NewType("RunName", str)
"""Name of an AgentRun within its namespace."""

RunUid = NewType("RunUid", str)
"""The uid that the API server gave to an AgentRun."""

_HASH_CHARS = 10
_CONVERSATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
_ID = re.compile(r"[\x21-\x7e]{1,500}")


def short_hash(*parts: str) -> str:
    """Hash *parts* to ten characters of `a-z2-7`, 50 bits.

    Parts are length-prefixed, so ("ab", "c") and ("a", "bc") differ.
    """
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return base64.b32encode(digest.digest())[:_HASH_CHARS].decode().lower()


def run_name(channel: str, message_id: MessageId) -> RunName:
    """Name the AgentRun that answers one inbound message.

    The same message always gets the same name, so a redelivered message meets
    "409 Conflict: already exists" instead of starting a second pod. Different
    messages get different names, up to a 50-bit hash. The channel's name stands
    first, for people; it is cut where the whole would not fit a label.
    """
    prefix = channel[: MAX_NAME_CHARS - _HASH_CHARS - 1].rstrip("-.")
    return RunName(f"{prefix}-{short_hash(message_id)}")


def reference_of(run_name: RunName, message_id: MessageId) -> str:
    """Return what a person quotes of a message: its run's name, else the end of what that would be.

    The ten characters at the end are the same either way, and are what logs and dead
    letters call the message's reference. The id itself is for programs: it tells of a
    platform's workspace and chat.
    """
    return run_name or short_hash(message_id)


def conversation_label(channel: str, conversation: ConversationId) -> str:
    """Hash a conversation to a label value, by which its runs are found and ordered."""
    return short_hash(channel, conversation)


def web_message_id(
    namespace: str, channel: str, conversation: ConversationId, client_id: str
) -> MessageId:
    """Identify a message of the web channel by what its client called it."""
    return MessageId(f"web:{namespace}/{channel}:{conversation}:{client_id}")


def is_conversation_id(text: str) -> bool:
    """Return whether *text* may name a web conversation or message: 1-64 of `A-Za-z0-9._-`."""
    return _CONVERSATION.fullmatch(text) is not None


def is_subject_token(text: str) -> bool:
    """Return whether *text* may stand between two dots of a bus subject."""
    return _TOKEN.fullmatch(text) is not None


def is_message_id(text: str) -> bool:
    """Return whether *text* may be a message's or a conversation's id.

    It travels in a header of the bus: 1 to 500 printable characters of ASCII.
    """
    return _ID.fullmatch(text) is not None


def place_of(holder: str) -> str:
    """Return the place, a pod as a rule, of a holder that is named `<place>_<anything>`, or "".

    There is never more than one process in a place, so whoever is there now may take
    over at once what an earlier one held: it is dead.
    """
    return holder.rpartition("_")[0]


def may_go_on(claimed_by: str, held_by: str) -> bool:
    """Return whether *claimed_by* may go on with what *held_by* has: itself, or its own place."""
    place = place_of(claimed_by)
    return claimed_by == held_by or bool(place and place == place_of(held_by))
