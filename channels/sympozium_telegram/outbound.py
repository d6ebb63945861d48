"""The adapter: what the common code wants shown, in calls of the Bot API.

Telegram gives a message no key and lets a bot read no history, so a message whose answer
was lost cannot be looked for. The common code posts a placeholder first, and edits it:
an edit can be repeated.
"""

from collections import OrderedDict
from typing import Any

from sympozium.chat.capabilities import Capabilities
from sympozium.chat.errors import PostGoneError
from sympozium.chat.platform import Attachment, Growing, Mark, PostId, Shown, Target
from sympozium.contract.errors import TransientError
from sympozium_telegram.addresses import Reference, post_id, read_post, read_reference
from sympozium_telegram.bot_api import BotApi
from sympozium_telegram.buttons import Buttons
from sympozium_telegram.capabilities import CAPABILITIES
from sympozium_telegram.drafts import Drafts
from sympozium_telegram.library import InputFile
from sympozium_telegram.refusals import ChatMovedError, NotModifiedError

REACTIONS = {
    Mark.HELD: "\N{SLEEPING FACE}",
    Mark.STORED: "\N{EYES}",
    Mark.RUNNING: "\N{HIGH VOLTAGE SIGN}",
    Mark.DONE: "\N{THUMBS UP SIGN}",
    Mark.FAILED: "\N{THUMBS DOWN SIGN}",
    Mark.NONE: "",
}
"""Out of those that Telegram allows. Source: https://core.telegram.org/bots/api#reactiontypeemoji"""

MAX_PHOTO_BYTES = 10 * 1000 * 1000
"""Source: https://core.telegram.org/bots/api#sending-files"""

MAX_MOVED = 1000
"""Groups of which it is known where they have moved. Of another one Telegram says it again."""

_PHOTO_TYPES = {"image/jpeg", "image/png", "image/webp"}
_NO_PREVIEW = {"is_disabled": True}


class Telegram:
    """The platform, for one bot account. See `chat.platform.Platform`."""

    def __init__(self, api: BotApi, buttons: Buttons, drafts: Drafts) -> None:
        self._api = api
        self._buttons = buttons
        self._drafts = drafts
        self._moved: OrderedDict[int, int] = OrderedDict()

    @property
    def capabilities(self) -> Capabilities:
        """What this platform can do."""
        return CAPABILITIES

    def chat_of(self, target: Target) -> str:
        """Return the chat whose budget *target* uses; its topics share it."""
        return str(read_reference(target.reply_to).spot.chat)

    async def post(self, target: Target, shown: Shown, *, key: str, again: bool) -> PostId:
        """Send a message; *key* and *again* are of no use to Telegram. See `Posts.post`."""
        params = {**_text(shown), "reply_markup": await self._buttons.keyboard(shown.choices)}
        sent = await self._send("sendMessage", target, params)
        try:
            return post_id(int(sent["chat"]["id"]), int(sent["message_id"]))
        except (KeyError, TypeError, ValueError):
            raise TransientError("cannot read the answer to sendMessage") from None

    async def edit(self, target: Target, post: PostId, shown: Shown) -> None:
        """Change a message of ours, and end what grew beside it. See `Posts.edit`."""
        keyboard = await self._buttons.keyboard(shown.choices)
        await self._drafts.end(read_reference(target.reply_to).spot, target.message_id)
        await self._edit(post, {**_text(shown), "reply_markup": keyboard})

    async def remove(self, target: Target, post: PostId) -> None:
        """Delete a message of ours, and what grew beside it. See `Posts.remove`."""
        chat, message = read_post(post)
        await self._drafts.end(read_reference(target.reply_to).spot, target.message_id)
        try:
            await self._api.call("deleteMessage", {"chat_id": chat, "message_id": message})
        except (PostGoneError, ChatMovedError):
            return

    async def grow(self, target: Target, post: PostId, growing: Growing) -> None:
        """Show a draft in a private chat; else, or where there is no text yet, edit *post*."""
        spot = read_reference(target.reply_to).spot
        text = {"text": growing.piece.text, "parse_mode": "HTML"}
        if (
            growing.markdown
            and self._drafts.can_show(spot)
            and await self._drafts.show(spot, target.message_id, text)
        ):
            return
        keyboard = await self._buttons.keyboard(growing.choices)
        preview = {**text, "link_preview_options": _NO_PREVIEW, "reply_markup": keyboard}
        await self._edit(post, preview)

    async def signal(self, target: Target, status: str) -> None:
        """Show "typing"; Telegram has no words for it. See `Signals.signal`."""
        await self._send("sendChatAction", target, {"action": "typing"}, is_message=False)

    async def mark(self, target: Target, mark: Mark) -> None:
        """React to the person's message; a reaction replaces the earlier. See `Signals.mark`."""
        reference = read_reference(target.reply_to)
        if reference.is_ours:
            return
        emoji = REACTIONS[mark]
        params = {
            "chat_id": reference.spot.chat,
            "message_id": reference.message,
            "reaction": [{"type": "emoji", "emoji": emoji}] if emoji else [],
        }
        try:
            await self._api.call("setMessageReaction", params)
        except NotModifiedError:
            return

    async def upload(self, target: Target, file: Attachment, *, key: str, again: bool) -> None:
        """Send a file, a picture as a photo where it may be one. See `Uploads.upload`."""
        is_photo = file.media_type in _PHOTO_TYPES and len(file.data) <= MAX_PHOTO_BYTES
        content = InputFile(file.data, filename=file.name, attach=False)
        method, field = ("sendPhoto", "photo") if is_photo else ("sendDocument", "document")
        await self._send(method, target, {field: content})

    async def _edit(self, post: PostId, params: dict[str, Any]) -> None:
        chat, message = read_post(post)
        call = {"chat_id": chat, "message_id": message, **params}
        try:
            await self._api.call("editMessageText", call)
        except NotModifiedError:
            return
        except ChatMovedError as moved:
            self._note_move(chat, moved.chat)
            raise PostGoneError("cannot change a message: its group has moved") from None

    async def _send(
        self, method: str, target: Target, params: dict[str, Any], *, is_message: bool = True
    ) -> Any:
        """Call *method* where the target is, and where its group has moved to."""
        reference = read_reference(target.reply_to)
        place = self._place(target, reference, is_message=is_message)
        try:
            return await self._api.call(method, {**place, **params})
        except ChatMovedError as moved:
            self._note_move(reference.spot.chat, moved.chat)
            place = self._place(target, reference, is_message=is_message)
            return await self._api.call(method, {**place, **params})

    def _note_move(self, chat: int, now: int) -> None:
        self._moved[chat] = now
        while len(self._moved) > MAX_MOVED:
            self._moved.popitem(last=False)

    def _place(self, target: Target, reference: Reference, *, is_message: bool) -> dict[str, Any]:
        """Return the parameters that say where, and in reply to what."""
        chat = reference.spot.chat
        if chat in self._moved:
            return {"chat_id": self._moved[chat]}
        if target.in_chat:
            return {"chat_id": chat}
        place: dict[str, Any] = {
            "chat_id": chat,
            "message_thread_id": reference.spot.topic or None,
        }
        if is_message:
            place["reply_parameters"] = {
                "message_id": reference.message,
                "allow_sending_without_reply": True,
            }
        return place


def _text(shown: Shown) -> dict[str, Any]:
    return {
        "text": shown.piece.plain if shown.is_plain else shown.piece.text,
        "parse_mode": None if shown.is_plain else "HTML",
        "link_preview_options": _NO_PREVIEW,
    }
