"""What is shown, as Slack's blocks: a text, and buttons or a menu under it."""

from collections.abc import Sequence
from typing import Any

from sympozium.chat.commands import written
from sympozium.chat.markup import Dialect, escape
from sympozium.chat.platform import Shown
from sympozium.contract.messages import Choice
from sympozium_slack.capabilities import MAX_SECTION_CHARS
from sympozium_slack.interactions import (
    ACTION_PREFIX,
    MAX_OPTION_CHARS,
    MAX_VALUE_CHARS,
    choice_value,
)

MAX_BUTTONS = 5
"""More choices are a menu: a row of buttons is read at a glance, or not at all."""

MAX_OPTIONS = 100
MAX_ELEMENTS = 25
"""Most elements of one actions block. Source: the reference of the actions block."""

MAX_LABEL_CHARS = 75
MAX_FALLBACK_CHARS = 3000

Block = dict[str, Any]


def message_blocks(shown: Shown) -> list[Block]:
    """Return the blocks of a message of ours."""
    return [text_block(shown), *choice_blocks(shown.choices)]


def text_block(shown: Shown) -> Block:
    """Return the text; `expand` has all of it shown, and not its first lines."""
    if shown.is_plain:
        text: dict[str, Any] = {"type": "plain_text", "text": shown.piece.plain, "emoji": False}
    else:
        text = {"type": "mrkdwn", "text": shown.piece.text, "verbatim": True}
    text["text"] = text["text"][:MAX_SECTION_CHARS] or " "
    return {"type": "section", "text": text, "expand": True}


def fallback(shown: Shown) -> str:
    """Return the text for notifications and for those who have the message read to them."""
    return escape(shown.piece.plain[:MAX_FALLBACK_CHARS], Dialect.SLACK) or " "


def choice_blocks(choices: Sequence[Choice], block_id: str = "") -> list[Block]:
    """Return buttons, or a menu where there are many; what fits neither is written out."""
    values = [(choice, choice_value(choice.command)) for choice in choices]
    fitting = [(choice, value) for choice, value in values if len(value) <= MAX_VALUE_CHARS]
    others = [choice for choice, value in values if len(value) > MAX_VALUE_CHARS]
    fit_a_menu = len(fitting) <= MAX_OPTIONS and all(
        len(value) <= MAX_OPTION_CHARS for _, value in fitting
    )
    if len(fitting) > MAX_BUTTONS and fit_a_menu:
        rows = [[_menu(fitting)]]
    else:
        buttons = [_button(*one, number) for number, one in enumerate(fitting)]
        rows = [buttons[at : at + MAX_ELEMENTS] for at in range(0, len(buttons), MAX_ELEMENTS)]
    blocks: list[Block] = [{"type": "actions", "elements": row} for row in rows]
    if block_id and blocks:
        blocks[0]["block_id"] = block_id
    return [*blocks, *map(_written_out, others)]


def _button(choice: Choice, value: str, number: int) -> dict[str, Any]:
    return {
        "type": "button",
        "action_id": f"{ACTION_PREFIX}_{number}",
        "text": _label(choice),
        "value": value,
    }


def _menu(choices: Sequence[tuple[Choice, str]]) -> dict[str, Any]:
    return {
        "type": "static_select",
        "action_id": f"{ACTION_PREFIX}_menu",
        "placeholder": {"type": "plain_text", "text": "Choose", "emoji": False},
        "options": [{"text": _label(choice), "value": value} for choice, value in choices],
    }


def _written_out(choice: Choice) -> Block:
    text = f"{choice.label}: {written(choice.command)}"[:MAX_SECTION_CHARS]
    return {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}}


def _label(choice: Choice) -> dict[str, Any]:
    label = choice.label if len(choice.label) <= MAX_LABEL_CHARS else choice.label[:74] + "\u2026"
    return {"type": "plain_text", "text": label or "?", "emoji": False}
