"""Updates as Telegram sends them, and the bot that they are for."""

from typing import Any

from sympozium.chat.gate import Triggers
from sympozium_telegram.entities import Me
from sympozium_telegram.reading import Reading, read
from sympozium_telegram.updates import read_update

ME = Me(7_000_001, "sympozium_test_bot")
ADA = {"id": 1001, "is_bot": False, "first_name": "Ada", "username": "ada"}
US = {"id": ME.id, "is_bot": True, "first_name": "Sympozium", "username": ME.username}
OTHER_BOT = {"id": 42, "is_bot": True, "first_name": "Alerts", "username": "alerts_bot"}
GROUP = {"id": -100_1, "type": "supergroup", "title": "ops"}
PRIVATE = {"id": 1001, "type": "private", "first_name": "Ada"}
TOPIC: dict[str, Any] = {"message_thread_id": 7, "is_topic_message": True}


def units(text: str) -> int:
    """Return the length of *text* as Telegram counts."""
    return len(text.encode("utf-16-le")) // 2


def entity(text: str, part: str, kind: str, **more: Any) -> dict[str, Any]:
    """Return the entity of *kind* on the first *part* of *text*."""
    return {
        "type": kind,
        "offset": units(text[: text.index(part)]),
        "length": units(part),
        **more,
    }


def message(
    text: str = "", chat: dict[str, Any] = GROUP, by: dict[str, Any] = ADA, **more: Any
) -> dict[str, Any]:
    """Return a message, of Ada's unless it is by somebody else."""
    made = {"message_id": 11, "date": 1_760_000_000, "chat": chat, "from": by, **more}
    return {**made, "text": text} if text else made


def mention(text: str, chat: dict[str, Any] = GROUP, **more: Any) -> dict[str, Any]:
    """Return a message that names the bot."""
    named = entity(text, f"@{ME.username}", "mention")
    return message(text, chat, entities=[named, *more.pop("entities", [])], **more)


def command(text: str, chat: dict[str, Any] = GROUP, **more: Any) -> dict[str, Any]:
    """Return a message that begins with a bot command."""
    return message(text, chat, entities=[entity(text, text.split()[0], "bot_command")], **more)


def reading(
    content: dict[str, Any], kind: str = "message", triggers: Triggers | None = None
) -> Reading:
    """Return what the channel makes of an update."""
    update = read_update({"update_id": 900_001, kind: content})
    return read(update, ME, triggers or Triggers())
