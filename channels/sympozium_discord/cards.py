"""What is being done, as a card under the growing answer: it is not part of what is said."""

from typing import Any

from sympozium.chat.markup import Dialect, escape, preview
from sympozium.chat.platform import Growing
from sympozium_discord.bodies import message_body
from sympozium_discord.capabilities import CAPABILITIES

AMBER = 0xF0B132
MAX_STATUS_CHARS = 256


def growing_body(growing: Growing, components: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the message that shows *growing*, its status on a card.

    The message has no link preview of its own: the dialect writes every address so that
    Discord fetches none. It cannot be forbidden here, for that hides cards as well.
    """
    text = growing.markdown[-2 * CAPABILITIES.limit.size :]
    said = preview(text, Dialect.DISCORD, CAPABILITIES.limit).text if text.strip() else ""
    status = escape(growing.status[:MAX_STATUS_CHARS], Dialect.DISCORD)
    cards = [{"description": status, "color": AMBER}]
    return message_body(said, components) | {"embeds": cards, "flags": 0}
