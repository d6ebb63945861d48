"""What Telegram remembers: people, chats, messages, and the updates that wait for one bot."""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.platforms.telegram.markup import Parsed

BOT_ID = 7_000_001
BOT_NAME = "sympozium_test_bot"
DRAFT_STAYS_S = 30.0
DATE = 1_760_000_000


@dataclass
class Stored:
    """One message of a chat."""

    id: int
    sender: dict[str, Any]
    parsed: Parsed
    topic: int = 0
    reply_to: int = 0
    files: list[str] = field(default_factory=list)
    media: dict[str, Any] = field(default_factory=dict)
    buttons: list[dict[str, str]] = field(default_factory=list)
    reaction: str = ""
    edited: bool = False
    is_silent: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def is_of_bot(self) -> bool:
        """Whether the bot under test wrote it."""
        return bool(self.sender["id"] == BOT_ID)


@dataclass
class Draft:
    """What a private chat shows of an answer that is being written."""

    parsed: Parsed
    topic: int
    ends_at: float


@dataclass
class Chat:
    """One chat."""

    id: int
    type: str
    title: str = ""
    is_forum: bool = False
    topics: set[int] = field(default_factory=set)
    messages: dict[int, Stored] = field(default_factory=dict)
    drafts: dict[int, Draft] = field(default_factory=dict)
    typing: int = 0
    moved_to: int = 0
    closed: str = ""
    """Telegram's sentence why the bot may not write here; empty where it may."""

    def as_json(self) -> dict[str, Any]:
        """Return it as the Bot API has it."""
        made: dict[str, Any] = {"id": self.id, "type": self.type}
        if self.type == "private":
            return {**made, "first_name": self.title}
        return {**made, "title": self.title, **({"is_forum": True} if self.is_forum else {})}


class World:
    """All of it, with one bot. Everything happens in one event loop."""

    def __init__(self) -> None:
        self.people: dict[str, int] = {}
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, bytes] = {}
        self.paths: dict[str, str] = {}
        self.waiting: deque[tuple[int, dict[str, Any]]] = deque()
        self.again: deque[dict[str, Any]] = deque()
        self.confirmed: list[int] = []
        self.menu: list[dict[str, str]] = []
        self.webhook: dict[str, Any] = {}
        self.answered_queries: list[str] = []
        self.query_count = count(1)
        self._file_count = count(1)
        self._update_count = count(900_001)
        self._message_count = count(11)
        self.visible = asyncio.Event()
        self.news = asyncio.Event()

    def person(self, name: str) -> dict[str, Any]:
        """Return a person as the Bot API has one; whoever is new is made."""
        id_ = self.people.setdefault(name, 1001 + len(self.people))
        return {"id": id_, "is_bot": False, "first_name": name.title(), "username": name.lower()}

    def bot(self) -> dict[str, Any]:
        """Return the bot as `getMe` has it."""
        return {"id": BOT_ID, "is_bot": True, "first_name": "Sympozium", "username": BOT_NAME}

    def next_message_id(self) -> int:
        """Return the id of the next message of whatever chat."""
        return next(self._message_count)

    def keep_file(self, name: str, data: bytes) -> str:
        """Store a file; return its id."""
        number = next(self._file_count)
        file_id = f"file-{number}"
        self.files[file_id] = data
        self.paths[file_id] = f"documents/file_{number}{re.sub(r'^.*(?=[.])', '', name)[-8:]}"
        return file_id

    def tell(self, kind: str, content: dict[str, Any]) -> int:
        """Have an update wait for the bot; return its id."""
        number = next(self._update_count)
        self.waiting.append((number, {"update_id": number, kind: content}))
        self.news.set()
        return number

    def tell_again(self, number: int, update: dict[str, Any], times: int) -> None:
        """Bring an update again, confirmed or not."""
        self.again.extend([update] * times)
        self.news.set()

    def confirm_before(self, offset: int) -> None:
        """Forget the updates below *offset*: the bot has them."""
        while self.waiting and self.waiting[0][0] < offset:
            self.confirmed.append(self.waiting.popleft()[0])

    def taken(self, number: int) -> None:
        """Forget one update that a webhook took."""
        self.waiting = deque(one for one in self.waiting if one[0] != number)
        self.confirmed.append(number)

    def changed(self) -> None:
        """Something that a person can see is different now."""
        self.visible.set()

    def message_json(self, chat: Chat, stored: Stored) -> dict[str, Any]:
        """Return a message as the Bot API has it, with what it replies to."""
        made = self._plain_json(chat, stored)
        original = chat.messages.get(stored.reply_to)
        if original is not None:
            made["reply_to_message"] = self._plain_json(chat, original)
        return made

    def _plain_json(self, chat: Chat, stored: Stored) -> dict[str, Any]:
        made: dict[str, Any] = {
            "message_id": stored.id,
            "date": DATE + stored.id,
            "chat": chat.as_json(),
            "from": stored.sender,
            **stored.media,
            **stored.extra,
        }
        prefix = "caption" if stored.media else "text"
        if stored.parsed.text:
            made[prefix] = stored.parsed.text
            made["caption_entities" if stored.media else "entities"] = stored.parsed.entities
        if stored.topic:
            made |= {"message_thread_id": stored.topic, "is_topic_message": True}
        if stored.edited:
            made["edit_date"] = DATE + stored.id + 60
        if stored.buttons:
            made["reply_markup"] = {"inline_keyboard": [[one] for one in stored.buttons]}
        return made

    def visible_drafts(self, chat: Chat) -> list[Draft]:
        """Return the drafts that a person sees in a chat now."""
        now = asyncio.get_running_loop().time()
        return [draft for draft in chat.drafts.values() if draft.ends_at > now]


Change = Callable[[], None]
