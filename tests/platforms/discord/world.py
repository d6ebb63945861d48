"""The state of a Discord: people, one server with its channels, messages, and what changes."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.platforms.discord.ids import new_id

BOT_NAME = "helper"
TEXT, DIRECT, PUBLIC_THREAD = 0, 1, 11

Json = dict[str, Any]
Dispatch = Callable[[str, Json], None]


@dataclass
class Room:
    """A channel, a thread or a direct chat, with what was written in it."""

    id: str
    type: int
    name: str = ""
    guild_id: str = ""
    parent_id: str = ""
    archived: bool = False
    locked: bool = False
    allows_threads: bool = True
    allows_cards: bool = True
    is_closed: bool = False
    overwrites: list[Json] = field(default_factory=list)
    messages: dict[str, Json] = field(default_factory=dict)
    nonces: dict[str, str] = field(default_factory=dict)

    @property
    def is_thread(self) -> bool:
        return self.type == PUBLIC_THREAD

    def as_json(self) -> Json:
        made: Json = {"id": self.id, "type": self.type}
        if self.guild_id:
            made |= {"guild_id": self.guild_id, "name": self.name}
        if self.overwrites:
            made["permission_overwrites"] = self.overwrites
        if self.is_thread:
            made["parent_id"] = self.parent_id
            made["thread_metadata"] = {"archived": self.archived, "locked": self.locked}
        made["last_message_id"] = max(self.messages, key=int, default=None)
        return made


@dataclass
class Whisper:
    """The answer to an interaction that one person alone sees."""

    person: str
    room: str
    is_loading: bool
    message: Json = field(default_factory=dict)


@dataclass
class World:
    """Everything there is. `dispatch` tells the bot's sessions what happened."""

    dispatch: Dispatch = lambda _name, _data: None
    guild: str = field(default_factory=new_id)
    bot: str = field(default_factory=new_id)
    application: str = field(default_factory=new_id)
    people: dict[str, str] = field(default_factory=dict)
    roles: dict[str, list[str]] = field(default_factory=dict)
    rooms: dict[str, Room] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    reactions: dict[str, set[str]] = field(default_factory=dict)
    whispers: dict[str, Whisper] = field(default_factory=dict)
    server_roles: list[Json] = field(default_factory=list)
    commands: list[Json] = field(default_factory=list)
    command_writes: int = 0
    typings: list[str] = field(default_factory=list)
    has_message_content: bool = True
    change: asyncio.Event = field(default_factory=asyncio.Event)

    def changed(self) -> None:
        """Note that people see something else now."""
        self.change.set()

    def person(self, name: str) -> Json:
        """Return a person, who is made where nobody has that name."""
        id_ = self.people.setdefault(name, new_id())
        about = {"username": name, "global_name": name.title(), "discriminator": "0"}
        return {"id": id_, "avatar": None} | about

    def name_of(self, user_id: str) -> str:
        """Return a person's name."""
        return next(name for name, id_ in self.people.items() if id_ == user_id)

    @property
    def bot_user(self) -> Json:
        """The bot, as others see it."""
        return {
            "id": self.bot,
            "username": BOT_NAME,
            "discriminator": "0001",
            "bot": True,
            "avatar": None,
        }

    def channel(self, name: str) -> Room:
        """Return a channel of the server, which is made where there is none of that name."""
        for room in self.rooms.values():
            if room.name == name and room.type == TEXT:
                return room
        room = Room(new_id(), TEXT, name, guild_id=self.guild)
        self.rooms[room.id] = room
        self.dispatch("CHANNEL_CREATE", room.as_json())
        return room

    def direct(self, name: str) -> Room:
        """Return a direct chat with the bot, which is made where there is none of that name.

        Discord has one for each person; tests that look for silence need one each.
        """
        for room in self.rooms.values():
            if room.type == DIRECT and room.name == name:
                return room
        room = Room(new_id(), DIRECT, name)
        self.rooms[room.id] = room
        return room

    def thread_on(self, message: str) -> Room:
        """Return the thread that hangs on a message; it has its id."""
        return self.rooms[message]

    def begin_thread(self, parent: Room, message: str, name: str) -> Room:
        """Make the thread that hangs on a message."""
        thread = Room(message, PUBLIC_THREAD, name, guild_id=self.guild, parent_id=parent.id)
        self.rooms[thread.id] = thread
        self.dispatch("THREAD_CREATE", thread.as_json() | {"newly_created": True})
        self.changed()
        return thread

    def threads_of(self, room: Room) -> Iterator[Room]:
        """Yield the threads of a channel."""
        return (one for one in list(self.rooms.values()) if one.parent_id == room.id)

    def write(self, room: Room, author: Json, content: str, **more: Any) -> Json:
        """Put a message into a room and tell the bot of it."""
        message: Json = {
            "id": new_id(),
            "channel_id": room.id,
            "author": author,
            "content": content,
            "timestamp": now(),
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": self._mentioned(content),
            "mention_roles": [],
            "attachments": [],
            "embeds": [],
            "pinned": False,
            "type": 0,
            "components": [],
        } | more
        room.messages[message["id"]] = message
        if room.is_thread:
            room.archived = False
        self.dispatch("MESSAGE_CREATE", self.event_of(room, message))
        self.changed()
        return message

    def event_of(self, room: Room, message: Json) -> Json:
        """Return a message as the gateway tells of it: with more than a history has."""
        event = dict(message)
        if room.guild_id:
            event["guild_id"] = room.guild_id
            if not message["author"].get("bot") and "webhook_id" not in message:
                roles = self.roles.get(message["author"]["id"], [])
                event["member"] = {"roles": roles, "nick": None, "joined_at": now()}
        return event

    def find(self, message_id: str) -> tuple[Room, Json]:
        """Return a message and where it is."""
        for room in self.rooms.values():
            if message_id in room.messages:
                return room, room.messages[message_id]
        raise KeyError(message_id)

    def _mentioned(self, content: str) -> list[Json]:
        everyone = [*map(self.person, list(self.people)), self.bot_user]
        return [one for one in everyone if f"<@{one['id']}>" in content]


def now() -> str:
    """Return the time as Discord writes it."""
    return datetime.now(UTC).isoformat()
