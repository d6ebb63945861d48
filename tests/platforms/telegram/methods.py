"""The methods of the Bot API that a channel may call, refusing what Telegram refuses."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from tests.platforms.telegram.faults import ApiError
from tests.platforms.telegram.markup import BadMarkupError, Parsed, parse_html, units
from tests.platforms.telegram.world import DRAFT_STAYS_S, Chat, Draft, Stored, World

MAX_TEXT_UNITS = 4096
MAX_CAPTION_UNITS = 1024
MAX_DATA_BYTES = 64
ALLOWED_REACTIONS = set("👍👎❤🔥👏😁🤔😢🎉🙏👌👀⚡🤝✍🤗🫡😎🤷😡💔🆒💯🏆😐😴")

Upload = tuple[str, bytes]


@dataclass(frozen=True)
class Call:
    """One call: its parameters as they were sent, and its files."""

    method: str
    params: dict[str, str]
    files: dict[str, Upload]

    def json(self, name: str) -> Any:
        """Return a parameter that is an object, or None."""
        text = self.params.get(name)
        return json.loads(text) if text else None

    def number(self, name: str) -> int:
        """Return a parameter that is a number; 0 where it is not given."""
        text = self.params.get(name, "0")
        try:
            return int(text)
        except ValueError:
            raise _bad(f"{name} must be a number") from None


class Methods:
    """Carries out calls on one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._simple = {
            "getMe": self._get_me,
            "getMyCommands": lambda _: self.world.menu,
            "setMyCommands": self._set_my_commands,
            "sendMessage": self._send_message,
            "editMessageText": self._edit_message_text,
            "deleteMessage": self._delete_message,
            "sendMessageDraft": self._send_message_draft,
            "sendChatAction": self._send_chat_action,
            "setMessageReaction": self._set_message_reaction,
            "sendDocument": self._send_file,
            "sendPhoto": self._send_file,
            "answerCallbackQuery": self._answer_callback_query,
            "getFile": self._get_file,
            "getChat": lambda call: self._chat(call).as_json(),
            "getChatMember": self._get_chat_member,
            "getWebhookInfo": self._get_webhook_info,
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
        }

    def carry_out(self, call: Call) -> Any:
        """Return the `result` of a call, or raise `ApiError`."""
        method = self._simple.get(call.method)
        if method is None:
            raise ApiError(404, "Not Found")
        return method(call)

    def _get_me(self, _: Call) -> dict[str, Any]:
        return {
            **self.world.bot(),
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }

    def _set_my_commands(self, call: Call) -> bool:
        self.world.menu = call.json("commands")
        return True

    def _send_message(self, call: Call) -> dict[str, Any]:
        chat = self._chat(call)
        parsed = _parsed(call, "text", MAX_TEXT_UNITS)
        if not parsed.text.strip():
            raise _bad("message text is empty")
        return self._keep(call, chat, parsed)

    def _send_file(self, call: Call) -> dict[str, Any]:
        chat = self._chat(call)
        field = "photo" if call.method == "sendPhoto" else "document"
        if field not in call.files:
            raise _bad(f"there is no {field} in the request")
        name, data = call.files[field]
        if len(data) > 50_000_000:
            raise ApiError(413, "Request Entity Too Large")
        file_id = self.world.keep_file(name, data)
        described = {"file_id": file_id, "file_name": name, "file_size": len(data)}
        made = self._keep(call, chat, _parsed(call, "caption", MAX_CAPTION_UNITS), [name])
        return {**made, "document": described}

    def _keep(
        self, call: Call, chat: Chat, parsed: Parsed, files: list[str] | None = None
    ) -> dict[str, Any]:
        topic = self._topic(call, chat)
        reply = call.json("reply_parameters") or {}
        original = int(reply.get("message_id", 0))
        if original and original not in chat.messages:
            if not reply.get("allow_sending_without_reply"):
                raise _bad("message to be replied not found")
            original = 0
        stored = Stored(
            self.world.next_message_id(),
            self.world.bot(),
            parsed,
            topic=topic,
            reply_to=original,
            files=files or [],
            buttons=_buttons(call),
            is_silent=call.params.get("disable_notification", "") in ("true", "True"),
        )
        chat.messages[stored.id] = stored
        chat.drafts = {id_: one for id_, one in chat.drafts.items() if one.topic != topic}
        self.world.changed()
        return self.world.message_json(chat, stored)

    def _edit_message_text(self, call: Call) -> dict[str, Any]:
        chat = self._chat(call)
        stored = chat.messages.get(call.number("message_id"))
        if stored is None:
            raise _bad("message to edit not found")
        if not stored.is_of_bot or stored.files:
            raise _bad("message can't be edited")
        parsed, buttons = _parsed(call, "text", MAX_TEXT_UNITS), _buttons(call)
        if not parsed.text.strip():
            raise _bad("message text is empty")
        if (parsed, buttons) == (stored.parsed, stored.buttons):
            raise _bad(
                "message is not modified: specified new message content and reply markup are "
                "exactly the same as a current content and reply markup of the message"
            )
        stored.parsed, stored.buttons, stored.edited = parsed, buttons, True
        self.world.changed()
        return self.world.message_json(chat, stored)

    def _delete_message(self, call: Call) -> bool:
        chat = self._chat(call)
        if chat.messages.pop(call.number("message_id"), None) is None:
            raise _bad("message to delete not found")
        self.world.changed()
        return True

    def _send_message_draft(self, call: Call) -> bool:
        chat = self._chat(call)
        if chat.type != "private":
            raise _bad("chat type is not supported")
        draft_id = call.number("draft_id")
        if not draft_id:
            raise _bad("draft_id must be non-zero")
        parsed = _parsed(call, "text", MAX_TEXT_UNITS)
        ends_at = asyncio.get_running_loop().time() + DRAFT_STAYS_S
        chat.drafts[draft_id] = Draft(parsed, self._topic(call, chat), ends_at)
        self.world.changed()
        return True

    def _send_chat_action(self, call: Call) -> bool:
        chat = self._chat(call)
        self._topic(call, chat)
        if call.params.get("action") != "typing":
            raise _bad("wrong parameter action in request")
        chat.typing += 1
        self.world.changed()
        return True

    def _set_message_reaction(self, call: Call) -> bool:
        chat = self._chat(call)
        stored = chat.messages.get(call.number("message_id"))
        if stored is None:
            raise _bad("message to react not found")
        reactions = call.json("reaction") or []
        if len(reactions) > 1:
            raise _bad("too many reactions")
        emoji = reactions[0]["emoji"] if reactions else ""
        if emoji and emoji not in ALLOWED_REACTIONS:
            raise _bad("REACTION_INVALID")
        stored.reaction = emoji
        self.world.changed()
        return True

    def _answer_callback_query(self, call: Call) -> bool:
        self.world.answered_queries.append(call.params.get("callback_query_id", ""))
        return True

    def _get_file(self, call: Call) -> dict[str, Any]:
        file_id = call.params.get("file_id", "")
        if file_id not in self.world.files:
            raise _bad("wrong file_id or the file is temporarily unavailable")
        size = len(self.world.files[file_id])
        if size > 20 * 1024 * 1024:
            raise _bad("file is too big")
        return {"file_id": file_id, "file_size": size, "file_path": self.world.paths[file_id]}

    def _get_chat_member(self, call: Call) -> dict[str, Any]:
        chat = self._chat(call)
        return {"status": "left" if chat.closed else "member", "user": self.world.bot()}

    def _get_webhook_info(self, _: Call) -> dict[str, Any]:
        shown = {name: one for name, one in self.world.webhook.items() if name != "secret_token"}
        return {
            "url": "",
            "has_custom_certificate": False,
            "pending_update_count": len(self.world.waiting),
            **shown,
        }

    def _set_webhook(self, call: Call) -> bool:
        url = call.params.get("url", "")
        self.world.webhook = {
            "url": url,
            "secret_token": call.params.get("secret_token", ""),
            "allowed_updates": call.json("allowed_updates") or [],
            "max_connections": call.number("max_connections") or 40,
        }
        if call.params.get("drop_pending_updates") in ("true", "True"):
            self.world.waiting.clear()
        self.world.news.set()
        return True

    def _delete_webhook(self, call: Call) -> bool:
        self.world.webhook = {}
        if call.params.get("drop_pending_updates") in ("true", "True"):
            self.world.waiting.clear()
        self.world.news.set()
        return True

    def _chat(self, call: Call) -> Chat:
        chat = self.world.chats.get(call.number("chat_id"))
        if chat is None:
            raise _bad("chat not found")
        if chat.moved_to:
            raise ApiError(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=chat.moved_to,
            )
        if chat.closed:
            raise ApiError(403, f"Forbidden: {chat.closed}")
        return chat

    def _topic(self, call: Call, chat: Chat) -> int:
        topic = call.number("message_thread_id")
        if topic and topic not in chat.topics:
            raise _bad("message thread not found")
        return topic


def _parsed(call: Call, field: str, max_units: int) -> Parsed:
    text, mode = call.params.get(field, ""), call.params.get("parse_mode", "")
    if mode not in ("", "HTML"):
        raise _bad("unsupported parse_mode")
    try:
        parsed = parse_html(text) if mode else Parsed(text)
    except BadMarkupError as error:
        raise _bad(f"can't parse entities: {error}") from None
    if units(parsed.text) > max_units:
        raise _bad("message is too long" if field == "text" else "message caption is too long")
    return parsed


def _buttons(call: Call) -> list[dict[str, str]]:
    keyboard = call.json("reply_markup") or {}
    buttons = [one for row in keyboard.get("inline_keyboard", []) for one in row]
    for button in buttons:
        if not 1 <= len(button.get("callback_data", "").encode()) <= MAX_DATA_BYTES:
            raise _bad("BUTTON_DATA_INVALID")
        if not button.get("text"):
            raise _bad("text buttons are unallowed in the inline keyboard")
    return buttons


def _bad(text: str) -> ApiError:
    return ApiError(400, f"Bad Request: {text}")
