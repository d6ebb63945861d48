"""What Discord refuses of a message: length, nonces, components, files."""

from typing import Any

from tests.platforms.discord.faults import RefusedError
from tests.platforms.discord.world import Json

MAX_CHARS = 2000
MAX_FILE_BYTES = 10 * 1024 * 1024
ROW, BUTTON, MENU = 1, 2, 3
SENT_FLAGS = (1 << 2) | (1 << 6) | (1 << 12)
KNOWN = {
    "content", "nonce", "enforce_nonce", "components", "allowed_mentions", "flags",
    "message_reference", "attachments", "embeds", "tts",
}  # fmt: skip


def check_message(body: Json, *, has_files: bool, room: str) -> None:
    """Refuse a message as Discord does."""
    assert set(body) <= KNOWN, set(body) - KNOWN
    content = body.get("content") or ""
    if len(content) > MAX_CHARS:
        raise invalid("content")
    if not (content.strip() or has_files or body.get("embeds")):
        raise RefusedError(400, 50006, "Cannot send an empty message")
    if len(str(body.get("nonce", ""))) > 25:
        raise invalid("nonce")
    if body.get("flags", 0) & ~SENT_FLAGS:
        raise invalid("flags")
    reference = body.get("message_reference")
    if reference and reference.get("channel_id", room) != room:
        raise invalid("message_reference")
    _check_components(body.get("components") or [])


def invalid(field: str) -> RefusedError:
    """Return the complaint about one field."""
    errors = {field: {"_errors": [{"code": "INVALID", "message": "no"}]}}
    return RefusedError(400, 50035, "Invalid Form Body", errors=errors)


def parts_of(message: Json) -> list[tuple[str, str]]:
    """Return the labels and custom ids of the buttons and menu entries under a message."""
    found: list[tuple[str, str]] = []
    for row in message.get("components") or []:
        for part in row["components"]:
            if part["type"] == BUTTON:
                found.append((part["label"], part["custom_id"]))
            else:
                found += [(one["label"], one["value"]) for one in part["options"]]
    return found


def menu_of(message: Json, value: str) -> str:
    """Return the custom id of the menu that has *value*; empty: it is a button's."""
    for row in message.get("components") or []:
        for part in row["components"]:
            if part["type"] == MENU and value in [one["value"] for one in part["options"]]:
                return str(part["custom_id"])
    return ""


def _check_components(rows: list[Json]) -> None:
    if len(rows) > 5:
        raise invalid("components")
    ids: list[str] = []
    for row in rows:
        parts: list[Any] = row["components"]
        menus = [part for part in parts if part["type"] == MENU]
        buttons = [part for part in parts if part["type"] == BUTTON]
        if row["type"] != ROW or not parts or len(menus) > 1 or len(buttons) > 5:
            raise invalid("components")
        if menus and buttons:
            raise invalid("components")
        for button in buttons:
            if not 1 <= len(button["label"]) <= 80 or button["style"] not in {1, 2, 3, 4}:
                raise invalid("components")
        for menu in menus:
            _check_menu(menu)
        ids += [part["custom_id"] for part in parts]
    if len(ids) != len(set(ids)) or any(not 1 <= len(one) <= 100 for one in ids):
        raise invalid("components")


def _check_menu(menu: Json) -> None:
    options = menu["options"]
    values = [one["value"] for one in options]
    if not 1 <= len(options) <= 25 or len(values) != len(set(values)):
        raise invalid("components")
    if any(not 1 <= len(one["label"]) <= 100 or len(one["value"]) > 100 for one in options):
        raise invalid("components")
