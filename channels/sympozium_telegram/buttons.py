"""What a button carries: a command, within the 64 bytes that Telegram gives it.

A longer command is kept as a note, and the button carries the note's name. Who
presses is checked by the router like who writes, so a button grants nothing.
"""

from collections.abc import Sequence
from typing import Any

from sympozium.chat.commands import read_command, written
from sympozium.chat.desk import Desk
from sympozium.contract.messages import Choice, Command
from sympozium.contract.names import short_hash

MAX_DATA_BYTES = 64
"""Source: https://core.telegram.org/bots/api#inlinekeyboardbutton"""

MAX_LABEL_CHARS = 60
_WHOLE = "c:"
_NOTED = "n:"
_NOTE_KEY = "button:"


class Buttons:
    """Writes commands into buttons and reads them back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def keyboard(self, choices: Sequence[Choice]) -> dict[str, Any] | None:
        """Return the keyboard under a message: one button a row, none for no choices.

        Raises:
            TransientError: A long command cannot be kept now.
        """
        if not choices:
            return None
        rows = [
            [{"text": choice.label[:MAX_LABEL_CHARS], "callback_data": await self._data(choice)}]
            for choice in choices
        ]
        return {"inline_keyboard": rows}

    async def command(self, data: str) -> Command | None:
        """Return the command of a button; None: it was not made by this channel.

        Raises:
            TransientError: The router cannot be asked now.
        """
        text = data.removeprefix(_WHOLE) if data.startswith(_WHOLE) else ""
        if data.startswith(_NOTED):
            key = _NOTE_KEY + data.removeprefix(_NOTED)
            text = (await self._desk.read([key])).get(key, "")
        return read_command(text, prefix="", any_word=True) if text else None

    async def _data(self, choice: Choice) -> str:
        text = written(choice.command, prefix="")
        if len((_WHOLE + text).encode()) <= MAX_DATA_BYTES:
            return _WHOLE + text
        name = short_hash(text)
        await self._desk.keep({_NOTE_KEY + name: text})
        return _NOTED + name
