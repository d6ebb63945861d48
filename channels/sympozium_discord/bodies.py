"""What is sent to Discord for what is to be shown."""

import hashlib
from typing import Any

from sympozium.chat.markup import Dialect, escape
from sympozium.chat.platform import Shown
from sympozium_discord.capabilities import MAX_CHARS

SUPPRESS_EMBEDS = 1 << 2
"""No preview of a link that a model wrote: fetching it would tell its host what was said.

Source: https://docs.discord.com/developers/resources/message#message-object-message-flags
"""

NO_MENTIONS: dict[str, Any] = {"parse": [], "replied_user": False}
MAX_NONCE_CHARS = 25


def nonce_of(key: str) -> str:
    """Return the nonce of a post: the same key has the same, and Discord posts it once."""
    return hashlib.sha256(key.encode()).hexdigest()[:MAX_NONCE_CHARS]


def text_of(shown: Shown) -> str:
    """Return the text to send."""
    if not shown.is_plain:
        return shown.piece.text
    literal = escape(shown.piece.plain, Dialect.DISCORD)
    return literal if len(literal) <= MAX_CHARS else shown.piece.plain


def message_body(text: str, components: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the message that says *text*, in which nothing pings and nothing is previewed."""
    return {
        "content": text,
        "components": components,
        "embeds": [],
        "allowed_mentions": NO_MENTIONS,
        "flags": SUPPRESS_EMBEDS,
    }


def referring_to(message: str, channel: str) -> dict[str, Any]:
    """Return the part of a body that shows what it answers, and by which it is found again."""
    return {
        "message_reference": {
            "message_id": message,
            "channel_id": channel,
            "fail_if_not_exists": False,
        }
    }
