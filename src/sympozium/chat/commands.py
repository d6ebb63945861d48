"""The commands that people may give: their names, what they do, and how they are read."""

import re
from dataclasses import dataclass

from sympozium.contract.messages import Command


@dataclass(frozen=True)
class CommandInfo:
    """One command, for menus and for `help`.

    Attributes:
        argument: Name of what may follow it; empty where nothing does.
    """

    name: str
    description: str
    argument: str = ""


RETRY = "retry"

COMMANDS = (
    CommandInfo("new", "Start over: earlier messages are forgotten here"),
    CommandInfo("stop", "Stop the work that goes on here"),
    CommandInfo(RETRY, "Try a message again that failed", argument="reference"),
    CommandInfo("status", "Show what is being worked on here"),
    CommandInfo("cost", "Show what this conversation has used"),
    CommandInfo("model", "Show or choose the model", argument="name"),
    CommandInfo("agents", "Show or choose who answers here", argument="name"),
    CommandInfo("help", "Show what can be asked for"),
)

_NAMES = frozenset(command.name for command in COMMANDS)
_COMMAND = re.compile(r"([a-z][a-z0-9_-]{0,31})(?:\s+(.*))?", re.DOTALL | re.IGNORECASE)


def read_command(text: str, *, prefix: str, any_word: bool = False) -> Command | None:
    """Return the command in a message that begins with *prefix*; None: it is no command.

    Unless *any_word*, only the names of `COMMANDS` are commands: what begins with
    `!important` is meant for the agent. With an empty *prefix* the whole text is a
    command, as after a platform's own slash command; an empty text is then `help`.
    """
    stripped = text.strip()
    if not stripped.startswith(prefix):
        return None
    rest = stripped[len(prefix) :]
    if not rest and not prefix:
        return Command(name="help")
    match = _COMMAND.fullmatch(rest)
    if match is None or not (any_word or match[1].lower() in _NAMES):
        return None
    return Command(name=match[1].lower(), arguments=(match[2] or "").strip())


def written(command: Command, *, prefix: str = "!") -> str:
    """Return a command as a person would write it."""
    return f"{prefix}{command.name} {command.arguments}".rstrip()
