"""A Slack workspace in memory: its people, channels and messages, as the platform holds them."""

import asyncio
import hashlib
import itertools
import time
from dataclasses import dataclass, field
from typing import Any

TEAM = "T0STANDIN1"
BOT_USER = "U0BOT00001"
BOT_ID = "B0BOT00001"
BOT_TOKEN = "xoxb-stand-in-bot-token"
APP_TOKEN = "xapp-stand-in-app-token"
SIGNING_SECRET = "stand-in-signing-secret"

SCOPES = (
    "app_mentions:read", "assistant:write", "channels:history", "channels:read",
    "chat:write", "chat:write.customize", "commands", "files:read", "files:write",
    "groups:history", "groups:read", "im:history", "im:read", "im:write", "mpim:history",
    "mpim:read", "reactions:write",
)  # fmt: skip

Wire = dict[str, Any]


class SlackError(Exception):
    """An answer of the API with `"ok": false`."""

    def __init__(self, code: str, **more: object) -> None:
        super().__init__(code)
        self.code = code
        self.more = more


@dataclass
class Message:
    """One message of a channel.

    Attributes:
        only_for: The person who alone sees it; empty: everyone.
        is_streaming: Its stream is open.
        streamed: What was streamed into it, in order: chunks as they came.
    """

    ts: str
    user: str
    text: str = ""
    thread_ts: str = ""
    bot_id: str = ""
    username: str = ""
    only_for: str = ""
    blocks: list[Wire] = field(default_factory=list)
    attachments: list[Wire] = field(default_factory=list)
    metadata: Wire | None = None
    files: list[Wire] = field(default_factory=list)
    reactions: list[tuple[str, str]] = field(default_factory=list)
    link_names: bool = False
    is_streaming: bool = False
    streamed: list[Wire] = field(default_factory=list)
    edited: str = ""

    def wire(self, *, with_metadata: bool = False) -> Wire:
        """Return it as events and histories have it."""
        sent: Wire = {"type": "message", "ts": self.ts, "user": self.user, "text": self.text}
        optional: Wire = {
            "thread_ts": self.thread_ts,
            "bot_id": self.bot_id,
            "username": self.username,
            "blocks": self.blocks + [b for c in self.streamed for b in c.get("blocks", [])],
            "attachments": self.attachments,
            "files": self.files,
            "metadata": self.metadata if with_metadata else None,
            "edited": {"user": self.user, "ts": self.edited} if self.edited else None,
        }
        if not self.bot_id:
            sent["team"] = TEAM
        return sent | {name: value for name, value in optional.items() if value}


@dataclass
class Channel:
    """A channel or a direct chat."""

    id: str
    messages: dict[str, Message] = field(default_factory=dict)
    has_bot: bool = True
    is_archived: bool = False

    @property
    def is_direct(self) -> bool:
        """Only a person and the bot are there."""
        return self.id.startswith("D")

    def thread(self, ts: str) -> list[Message]:
        """Return a thread with its first message, oldest first."""
        found = [m for m in self.messages.values() if ts in (m.ts, m.thread_ts)]
        return sorted(found, key=lambda message: float(message.ts))


class Workspace:
    """Everything that is there. Channels come to be when they are named."""

    def __init__(self) -> None:
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, Wire] = {}
        self.bytes: dict[str, bytes] = {}
        self.scopes = set(SCOPES)
        self.views: list[Wire] = []
        self.prompts: list[Wire] = []
        self.statuses: dict[tuple[str, str], str] = {}
        self._clock = itertools.count(1)
        self._version = 0
        self._asked = 0
        self._news = asyncio.Event()
        self._people: dict[str, str] = {}

    def user_id(self, person: str) -> str:
        """Return the id of a person."""
        id_ = "U" + hashlib.sha256(person.encode()).hexdigest()[:9].upper()
        self._people[id_] = person
        return id_

    def person(self, user_id: str) -> str:
        """Return who has an id."""
        return self._people.get(user_id, user_id)

    def channel(self, id_: str) -> Channel:
        """Return a channel, made if there is none."""
        return self.channels.setdefault(id_, Channel(id_))

    def known(self, id_: str) -> Channel:
        """Return a channel; an unknown one is refused."""
        if id_ not in self.channels:
            raise SlackError("channel_not_found")
        return self.channels[id_]

    def writable(self, id_: str) -> Channel:
        """Return a channel in which the bot may write."""
        channel = self.known(id_)
        if channel.is_archived:
            raise SlackError("is_archived")
        if not channel.has_bot:
            raise SlackError("not_in_channel")
        return channel

    def now_ts(self) -> str:
        """Return a timestamp that no other message has, later than all before."""
        return f"{int(time.time())}.{next(self._clock):06d}"

    def next_id(self, prefix: str) -> str:
        """Return an id that nothing else has."""
        return f"{prefix}{next(self._clock):08d}"

    def add(self, channel: Channel, message: Message) -> Message:
        """Put a message into a channel."""
        channel.messages[message.ts] = message
        self.touch()
        return message

    def touch(self) -> None:
        """Tell whoever waits that something visible has changed."""
        self._version += 1
        self._news.set()

    async def changed(self) -> None:
        """Return when something visible has changed since it was last asked."""
        while self._version == self._asked:
            self._news.clear()
            await self._news.wait()
        self._asked = self._version
