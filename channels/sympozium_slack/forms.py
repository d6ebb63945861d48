"""The form "Ask an agent": opened by a shortcut or a slash command, sent as a direct message."""

from typing import Any

import msgspec

CALLBACK = "sympozium_ask"
"""The form's name, and that of the global shortcut that opens it."""

ABOUT_CALLBACK = "sympozium_ask_about"
"""The message shortcut that opens it about a message."""

QUESTION_BLOCK = "question"
MAX_QUESTION_CHARS = 3000
"""Longest text of an input. Source: the reference of the plain-text input element."""

MAX_ABOUT_CHARS = 2000
"""How much of a message goes along; a form carries 3000 characters, some of them escaped."""


class About(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a form carries from its opening to its sending.

    Attributes:
        quoted: The message that is asked about; empty: none.
    """

    quoted: str = ""


def ask_form(about: About) -> dict[str, Any]:
    """Return the form as `views.open` takes it."""
    blocks: list[dict[str, Any]] = [
        {
            "type": "input",
            "block_id": QUESTION_BLOCK,
            "label": _text("What is to be done?"),
            "element": {
                "type": "plain_text_input",
                "action_id": QUESTION_BLOCK,
                "multiline": True,
                "max_length": MAX_QUESTION_CHARS,
                "focus_on_load": True,
            },
        },
        {
            "type": "context",
            "elements": [_text("The answer comes as a direct message.")],
        },
    ]
    if about.quoted:
        blocks.insert(0, {"type": "section", "text": _text(f"About: {about.quoted}"[:2900])})
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "title": _text("Ask an agent"),
        "submit": _text("Ask"),
        "close": _text("Cancel"),
        "private_metadata": msgspec.json.encode(about).decode(),
        "blocks": blocks,
    }


def refused_form(sentence: str) -> dict[str, Any]:
    """Return the answer to a form that could not be taken: it stays open and says why."""
    return {"response_action": "errors", "errors": {QUESTION_BLOCK: sentence}}


def _text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}
