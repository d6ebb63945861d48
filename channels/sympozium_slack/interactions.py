"""What people do beside writing: slash commands, buttons and menus, shortcuts and forms."""

from typing import Any

import msgspec

from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import Command
from sympozium_slack.events import Post, Text, UnreadableError, read

MAX_VALUE_CHARS = 2000
"""Longest value of a button.

Source: https://docs.slack.dev/reference/block-kit/block-elements/button-element
"""

MAX_OPTION_CHARS = 150
"""Longest value of an entry of a menu.

Source: https://docs.slack.dev/reference/block-kit/composition-objects/option-object
"""


class _Sent(msgspec.Struct, frozen=True, kw_only=True):
    pass


class SlashCommand(_Sent, frozen=True, kw_only=True):
    """A slash command, as Socket Mode has it; over HTTP it comes as a form of these fields."""

    command: str
    user_id: str
    channel_id: str
    trigger_id: str
    text: Text = ""
    user_name: Text = ""
    team_id: Text = ""
    response_url: Text = ""


class Who(_Sent, frozen=True, kw_only=True):
    """A person who did something."""

    id: str
    username: Text = ""
    name: Text = ""
    team_id: Text = ""


class Named(_Sent, frozen=True, kw_only=True):
    """A channel or a workspace."""

    id: str


class Container(_Sent, frozen=True, kw_only=True):
    """What a button is in."""

    type: Text = ""
    channel_id: Text = ""
    message_ts: Text = ""
    thread_ts: Text = ""


class Option(_Sent, frozen=True, kw_only=True):
    """An entry of a menu."""

    value: str


class Action(_Sent, frozen=True, kw_only=True):
    """A button that was pressed, or a menu of which an entry was picked."""

    action_id: str
    value: Text = ""
    selected_option: Option | None = None


class View(_Sent, frozen=True, kw_only=True):
    """A form."""

    id: str
    callback_id: Text = ""
    private_metadata: Text = ""
    state: dict[str, Any] | None = None


class Interaction(_Sent, frozen=True, kw_only=True):
    """Anything of the kind `interactive`."""

    type: str
    user: Who
    team: Named | None = None
    trigger_id: Text = ""
    callback_id: Text = ""
    channel: Named | None = None
    container: Container | None = None
    message: Post | None = None
    actions: list[Action] = []
    view: View | None = None
    response_url: Text = ""


ACTION_PREFIX = "sympozium_choice"
"""Begins the `action_id` of every button and menu of ours: what it asks for is in its value."""


def choice_value(command: Command) -> str:
    """Return what a button or an entry of a menu carries."""
    return msgspec.json.encode(command).decode()


def chosen(action: Action) -> Command | None:
    """Return the command that a button or menu of ours asks for; None: it is not ours.

    Raises:
        UnreadableError: It is ours and carries something else.
    """
    if not action.action_id.startswith(ACTION_PREFIX):
        return None
    value = action.selected_option.value if action.selected_option else action.value
    if not value:
        raise UnreadableError("cannot read a choice of Slack's: it has no value")
    return read(value.encode(), Command)


def field_of(view: View, block: str) -> str:
    """Return what a person wrote into one block of a form.

    Raises:
        PermanentError: The form has no such block.
    """
    values = (view.state or {}).get("values")
    inputs = values.get(block) if isinstance(values, dict) else None
    for given in inputs.values() if isinstance(inputs, dict) else ():
        if isinstance(given, dict):
            return str(given.get("value") or "")
    raise PermanentError(f"cannot read a form of Slack's: it has no block {block!r}")
