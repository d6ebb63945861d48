"""Growing answers in private chats: Telegram shows a draft, which is no message.

A draft ends by itself after 30 seconds, or when the bot sends a message; an edit does
not end it. The answer is an edit all the same, because only an edit can be repeated
after a crash without saying it twice. So before the edit a draft that is open is ended
by a message without a sound, which is deleted at once: preview and answer are never
seen side by side.
"""

import asyncio
import logging
from collections import OrderedDict
from typing import Any

from sympozium.contract.errors import PermanentError
from sympozium.contract.names import MessageId, short_hash
from sympozium_telegram.addresses import Spot
from sympozium_telegram.bot_api import BotApi
from sympozium_telegram.refusals import UnknownMethodError

log = logging.getLogger(__name__)

STAYS_S = 30.0
"""Source: https://core.telegram.org/bots/api#sendmessagedraft"""

MAX_OPEN = 1024
ENDING_TIMEOUT_S = 3.0


class Drafts:
    """The drafts that this program shows."""

    def __init__(self, api: BotApi) -> None:
        self._api = api
        self._open: OrderedDict[MessageId, float] = OrderedDict()
        self._covers: dict[MessageId, int] = {}
        self._is_known = True

    def can_show(self, spot: Spot) -> bool:
        """Return whether a draft can be shown there: in private chats, by servers that know it."""
        return spot.is_private and self._is_known

    async def show(self, spot: Spot, message_id: MessageId, text: dict[str, Any]) -> bool:
        """Show a draft; False: this server does not know drafts, and will not be asked again.

        Args:
            spot: Where.
            message_id: What is being answered: drafts of one message follow each other.
            text: The parameters that hold the text and how it is to be read.
        """
        params = {
            "chat_id": spot.chat,
            "message_thread_id": spot.topic or None,
            "draft_id": _draft_id(message_id),
            **text,
        }
        try:
            await self._api.call("sendMessageDraft", params)
        except UnknownMethodError:
            self._is_known = False
            log.info("server without drafts", extra={"action": "edit_instead"})
            return False
        self._note(message_id)
        return True

    async def end(self, spot: Spot, message_id: MessageId) -> None:
        """Have the draft of a message vanish, if one is open, and leave nothing of it behind.

        Raises:
            TransientError: Not everything is gone; the same call goes on later. A draft
                that could not be ended is left to end by itself.
        """
        shown_at = self._open.pop(message_id, None)
        if shown_at is not None and _now() - shown_at < STAYS_S:
            await self._cover(spot, message_id)
        cover = self._covers.get(message_id)
        if cover is None:
            return
        gone = {"chat_id": spot.chat, "message_id": cover}
        try:
            await self._api.call("deleteMessage", gone, timeout_s=ENDING_TIMEOUT_S)
        except PermanentError as error:
            log.info("cover not deleted", extra={"action": "drop", "cause": str(error)})
        del self._covers[message_id]

    async def _cover(self, spot: Spot, message_id: MessageId) -> None:
        """Send the message that takes the draft's place."""
        params = {
            "chat_id": spot.chat,
            "message_thread_id": spot.topic or None,
            "text": "\u2026",
            "disable_notification": True,
        }
        try:
            sent = await self._api.call_object("sendMessage", params, timeout_s=ENDING_TIMEOUT_S)
        except PermanentError as error:
            log.info("draft not ended", extra={"action": "drop", "cause": str(error)})
        else:
            self._covers[message_id] = int(sent.get("message_id", 0))

    def _note(self, message_id: MessageId) -> None:
        self._open[message_id] = _now()
        self._open.move_to_end(message_id)
        while len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)


def _draft_id(message_id: MessageId) -> int:
    """Return a number that is not 0 and that another message is unlikely to have."""
    return int.from_bytes(short_hash(message_id).encode()[:6], "big") or 1


def _now() -> float:
    return asyncio.get_running_loop().time()
