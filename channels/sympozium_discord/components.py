"""Choices as buttons and menus, and what a press of one means.

The component itself carries the command, so it works for whoever presses it and after
any restart. A command that does not fit into it is kept as a note.
"""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from sympozium.chat.commands import read_command, written
from sympozium.chat.desk import Desk
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import Choice, Command

MAX_CUSTOM_ID_CHARS = 100
MAX_BUTTONS = 5
MAX_ENTRIES = 25
MAX_ROWS = 5
MAX_BUTTON_LABEL_CHARS = 80
MAX_ENTRY_LABEL_CHARS = 100
"""Source: https://docs.discord.com/developers/components/reference"""

ROW, BUTTON, MENU = 1, 2, 3
GREY, RED = 2, 4

_WRITTEN, _NOTED = "!", "#"
_NOTES = "choice:"


class Choices:
    """Writes choices as components, and reads back which one was taken."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def components(self, choices: Sequence[Choice]) -> list[dict[str, Any]]:
        """Return the rows that show *choices*: buttons where they fit, else menus.

        Raises:
            TransientError: What does not fit into a component cannot be kept now.
        """
        shown = choices[: MAX_ROWS * MAX_ENTRIES]
        ids = [await self._id(choice.command) for choice in shown]
        if len(shown) <= MAX_BUTTONS:
            buttons = [_button(one, id_) for one, id_ in zip(shown, ids, strict=True)]
            return [{"type": ROW, "components": buttons}] if buttons else []
        entries = [
            {"label": choice.label[:MAX_ENTRY_LABEL_CHARS], "value": id_}
            for choice, id_ in zip(shown, ids, strict=True)
        ]
        return [_menu(row, entries[row * MAX_ENTRIES :]) for row in range(_rows(len(entries)))]

    async def read(self, id_: str) -> Command:
        """Return what the component *id_* asks for.

        Raises:
            PermanentError: Nobody knows any more, or it is none of ours.
            TransientError: The note of it cannot be read now.
        """
        if id_.startswith(_NOTED):
            key = _NOTES + id_.removeprefix(_NOTED)
            id_ = _WRITTEN + (await self._desk.read([key])).get(key, "")
        command = read_command(id_, prefix=_WRITTEN, any_word=True)
        if command is None:
            raise PermanentError("cannot tell what a button asks for: it is none of this channel's")
        return command

    async def _id(self, command: Command) -> str:
        text = written(command, prefix=_WRITTEN)
        if len(text) <= MAX_CUSTOM_ID_CHARS:
            return text
        key = hashlib.sha256(text.encode()).digest()[:18]
        name = base64.urlsafe_b64encode(key).decode()
        await self._desk.keep({_NOTES + name: text.removeprefix(_WRITTEN)})
        return _NOTED + name


def _button(choice: Choice, id_: str) -> dict[str, Any]:
    style = RED if choice.command.name == "stop" else GREY
    label = choice.label[:MAX_BUTTON_LABEL_CHARS]
    return {"type": BUTTON, "style": style, "label": label, "custom_id": id_}


def _menu(row: int, entries: list[dict[str, str]]) -> dict[str, Any]:
    menu = {"type": MENU, "custom_id": f"menu:{row}", "options": entries[:MAX_ENTRIES]}
    return {"type": ROW, "components": [menu]}


def _rows(count: int) -> int:
    return -(-count // MAX_ENTRIES)
