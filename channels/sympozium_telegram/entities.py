"""Who a text names: Telegram marks it by entities, which count in UTF-16 units.

The text is never searched for the bot's name: a name within a word or in a code
block is no mention, and an entity is what a person saw as one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sympozium_telegram.updates import Entity, User

_SEPARATORS = " \t\r\n,:;.!-\u2013\u2014"
"""What may stand between a mention and what is said."""


@dataclass(frozen=True)
class Me:
    """The bot itself."""

    id: int
    username: str


@dataclass(frozen=True)
class Said:
    """A text without what only called the bot.

    Attributes:
        is_mention: The text names the bot.
        mentions_others: It names somebody else.
        command: The bot command that it begins with, without `/` and name of the bot.
        arguments: What follows the command.
        is_for_us: The command names the bot, or no bot.
        names_us: The command names the bot.
    """

    text: str
    is_mention: bool = False
    mentions_others: bool = False
    command: str = ""
    arguments: str = ""
    is_for_us: bool = False
    names_us: bool = False


def read_text(text: str, entities: Sequence[Entity], me: Me) -> Said:
    """Return what *text* says, and to whom."""
    units = text.encode("utf-16-le", "surrogatepass")
    ours = [one for one in entities if _is_ours(units, one, me)]
    others = [one for one in entities if _is_mention(one) and one not in ours]
    command = next((one for one in entities if one.type == "bot_command" and one.offset == 0), None)
    stripped = _without(units, ours)
    if command is None:
        return Said(stripped, bool(ours), bool(others))
    name, _, bot = _part(units, command).removeprefix("/").partition("@")
    names_us = bot.lower() == me.username.lower() and bool(bot)
    return Said(
        stripped,
        bool(ours) or names_us,
        bool(others),
        command=name.lower(),
        arguments=_decoded(units[2 * command.length :]).strip(),
        is_for_us=names_us or not bot,
        names_us=names_us,
    )


def _is_mention(entity: Entity) -> bool:
    return entity.type in ("mention", "text_mention")


def _is_ours(units: bytes, entity: Entity, me: Me) -> bool:
    if entity.type == "text_mention":
        return _user_id(entity.user) == me.id
    named = _part(units, entity).lower() if entity.type == "mention" else ""
    return named == f"@{me.username.lower()}"


def _user_id(user: User | None) -> int:
    return user.id if user is not None else 0


def _without(units: bytes, ours: Sequence[Entity]) -> str:
    """Take mentions out at the start, at the end and on lines of their own; others stay."""
    kept = units
    for entity in sorted(ours, key=lambda one: one.offset, reverse=True):
        before = _decoded(kept[: 2 * entity.offset])
        after = _decoded(kept[2 * (entity.offset + entity.length) :])
        line_before, line_after = before.rpartition("\n")[2], after.partition("\n")[0]
        if not before.strip():
            kept = _encoded(after.lstrip(_SEPARATORS))
        elif not after.strip():
            kept = _encoded(before.rstrip(" \t\n,"))
        elif not line_before.strip() and not line_after.strip():
            kept = _encoded(before.rstrip() + "\n" + after.lstrip())
    return _decoded(kept).strip()


def _part(units: bytes, entity: Entity) -> str:
    return _decoded(units[2 * entity.offset : 2 * (entity.offset + entity.length)])


def _decoded(units: bytes) -> str:
    return units.decode("utf-16-le", "replace")


def _encoded(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")
