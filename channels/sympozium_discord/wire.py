"""The parts of Discord's objects that are read here, typed: what does not fit is no event.

Source: https://docs.discord.com/developers/topics/gateway-events
"""

from typing import Any

import msgspec
from typing_extensions import override


class _Object(msgspec.Struct, frozen=True, kw_only=True):
    pass


class User(_Object, frozen=True, kw_only=True):
    """A person, a bot, or the author that a webhook invented."""

    id: str
    username: str = ""
    global_name: str | None = None
    bot: bool = False

    @property
    def shown_name(self) -> str:
        """The name that people see."""
        return self.global_name or self.username


class Member(_Object, frozen=True, kw_only=True):
    """A person as a server knows them."""

    user: User | None = None
    nick: str | None = None
    roles: list[str] = []


class Role(_Object, frozen=True, kw_only=True):
    """A role of a server; one that was made for a bot names the bot among its tags."""

    id: str
    tags: dict[str, Any] = {}

    @property
    def bot_id(self) -> str:
        """The bot for which it was made; empty: for none."""
        return str(self.tags.get("bot_id", ""))


class Attachment(_Object, frozen=True, kw_only=True):
    """A file of a message."""

    id: str
    filename: str
    url: str
    size: int = 0
    content_type: str = ""


class EmbedField(_Object, frozen=True, kw_only=True):
    """A name and a value in an embed."""

    name: str = ""
    value: str = ""


class Embed(_Object, frozen=True, kw_only=True):
    """A card under a message: what alert bots post instead of text."""

    title: str = ""
    description: str = ""
    url: str = ""
    fields: list[EmbedField] = []


class Referenced(_Object, frozen=True, kw_only=True):
    """The message that another one replies to, or a copy of one that was forwarded."""

    id: str = ""
    content: str = ""
    author: User | None = None
    embeds: list[Embed] = []


class Snapshot(_Object, frozen=True, kw_only=True):
    """A forwarded message."""

    message: Referenced


class Message(_Object, frozen=True, kw_only=True):
    """A message, as events and histories have it."""

    id: str
    channel_id: str
    author: User
    content: str = ""
    timestamp: str = ""
    edited_timestamp: str | None = None
    type: int = 0
    guild_id: str = ""
    member: Member | None = None
    mentions: list[User] = []
    mention_roles: list[str] = []
    attachments: list[Attachment] = []
    embeds: list[Embed] = []
    webhook_id: str = ""
    application_id: str = ""
    referenced_message: Referenced | None = None
    message_snapshots: list[Snapshot] = []
    nonce: str | int = ""


class Deleted(_Object, frozen=True, kw_only=True):
    """A deletion, or many (`ids`)."""

    channel_id: str
    id: str = ""
    ids: list[str] = []
    guild_id: str = ""


class Channel(_Object, frozen=True, kw_only=True):
    """A channel, a thread or a direct chat."""

    id: str
    type: int
    guild_id: str = ""
    parent_id: str | None = None
    last_message_id: str | None = None

    @property
    def is_thread(self) -> bool:
        """Whether it hangs on a message or stands in a forum."""
        return self.type in THREAD_TYPES


class Pressed(_Object, frozen=True, kw_only=True):
    """What a command, a button or a menu says."""

    name: str = ""
    options: list[dict[str, Any]] = []
    custom_id: str = ""
    values: list[str] = []


class Interaction(_Object, frozen=True, kw_only=True):
    """A command that was given, or a button or menu that was used."""

    id: str
    application_id: str
    type: int
    token: str
    data: Pressed = Pressed()
    guild_id: str = ""
    channel_id: str = ""
    channel: Channel | None = None
    member: Member | None = None
    user: User | None = None

    @override
    def __repr__(self) -> str:
        return f"Interaction({self.id})"


THREAD_TYPES = frozenset({10, 11, 12})
"""Announcement, public and private threads."""

DIRECT_TYPE = 1
MESSAGE_TYPES = frozenset({0, 19})
"""What a person wrote: a message or a reply. Every other type is the system's."""

COMMAND_GIVEN = 2
COMPONENT_USED = 3


def read(data: object, type_: type[Any]) -> Any:
    """Return *data* as a *type_* of this module; null is as if it were not there.

    Raises:
        ValueError: It does not fit; the text names the field and never the content.
    """
    try:
        return msgspec.convert(_without_nulls(data), type_)
    except (msgspec.ValidationError, RecursionError) as error:
        cause = str(error) if isinstance(error, msgspec.ValidationError) else "too deep"
        raise ValueError(f"it is no {type_.__name__}: {cause}") from None


def _without_nulls(data: object) -> object:
    if isinstance(data, dict):
        return {key: _without_nulls(one) for key, one in data.items() if one is not None}
    if isinstance(data, list):
        return [_without_nulls(one) for one in data]
    return data
