"""Telegram as people see it, for the contract of all channels."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sympozium.chat.capabilities import Capabilities
from sympozium.chat.platform import Mark
from sympozium.testing.channels.driver import (
    Counts,
    Fault,
    Handed,
    Seen,
    Spot,
    Traits,
    Where,
)
from sympozium_telegram.capabilities import CAPABILITIES
from tests.platforms.telegram.faults import Planned
from tests.platforms.telegram.markup import Parsed, mentioned, units
from tests.platforms.telegram.server import TOKEN, BotApiServer, bot_api_server
from tests.platforms.telegram.world import BOT_ID, BOT_NAME, Chat, Draft, Stored

FIRST_GROUP = -1_001_000_000_000
FIRST_PRIVATE = 5_000_000_000
MARKS = {
    "😴": Mark.HELD,
    "👀": Mark.STORED,
    "⚡": Mark.RUNNING,
    "👍": Mark.DONE,
    "👎": Mark.FAILED,
    "": Mark.NONE,
}


class TelegramDriver:
    """One bot at a stand-in server. See `sympozium.testing.channels.driver.Driver`.

    Each name of a place is a chat of its own, a private one too: scenarios want places
    that nobody has been in.
    """

    def __init__(self, server: BotApiServer) -> None:
        self.server = server
        self.world = server.world
        self._chats: dict[tuple[Spot, str], Chat] = {}
        self._updates: dict[str, int] = {}
        self._said: dict[int, str] = {}
        self._contents: dict[int, dict[str, Any]] = {}

    @property
    def capabilities(self) -> Capabilities:
        """As the channel describes Telegram."""
        return CAPABILITIES

    @property
    def traits(self) -> Traits:
        """What people can do at Telegram; a bot is not told of deletions."""
        return Traits(
            spots=frozenset(Spot),
            has_threads=False,
            can_edit=True,
            can_delete=False,
            has_files=True,
            has_commands=True,
        )

    @property
    def env(self) -> dict[str, str]:
        """Environment of the channel's program, for polling."""
        return {"TELEGRAM_BOT_TOKEN": TOKEN, "SYMPOZIUM_API_URL": self.server.url}

    @property
    def module(self) -> str:
        """The channel's program."""
        return "sympozium_telegram"

    def user_id(self, person: str) -> str:
        """Return a person's id."""
        return str(self.world.person(person)["id"])

    def chat_id(self, where: Where) -> str:
        """Return a chat's id."""
        return str(self.chat(where).id)

    def chat(self, where: Where) -> Chat:
        """Return the chat of a place, with everybody in it."""
        key = (where.spot, where.name)
        if key not in self._chats:
            number = len(self._chats)
            if where.spot is Spot.DIRECT:
                chat = Chat(FIRST_PRIVATE + number, "private", where.name)
            else:
                chat = Chat(FIRST_GROUP - number, "supergroup", where.name)
            self._chats[key] = self.world.chats[chat.id] = chat
        return self._chats[key]

    async def says(
        self,
        person: str,
        where: Where,
        text: str,
        *,
        mention: bool = False,
        files: Sequence[Handed] = (),
    ) -> str:
        """Write a message; return chat and number."""
        name = f"@{BOT_NAME}"
        whole = f"{name} {text}" if mention else text
        entities = [{"type": "mention", "offset": 0, "length": units(name)}] if mention else []
        parsed = Parsed(whole, entities)
        reply_to = self._thread(where) if where.thread else 0
        said = ""
        for number, handed in enumerate(files or [None]):
            stored = Stored(
                self.world.next_message_id(),
                self.world.person(person),
                parsed if number == 0 else Parsed(""),
                reply_to=reply_to,
                media=self._media(handed) if handed else {},
            )
            one = self.puts(self.chat(where), stored)
            said = said or one
        return said

    def puts(self, chat: Chat, stored: Stored) -> str:
        """Have a message be written as it is given; return chat and number."""
        chat.messages[stored.id] = stored
        said = f"{chat.id}:{stored.id}"
        self._remember(said, "message", self.world.message_json(chat, stored))
        return said

    async def edits(self, message: str, text: str) -> None:
        """Change a message of a person."""
        chat, stored = self._found(message)
        stored.parsed, stored.edited = Parsed(text), True
        self.world.tell("edited_message", self.world.message_json(chat, stored))

    async def deletes(self, message: str) -> None:
        """Delete a message; the bot is not told."""
        chat, stored = self._found(message)
        del chat.messages[stored.id]

    async def commands(self, person: str, where: Where, name: str, arguments: str = "") -> None:
        """Give a bot command; in a group the menu adds the bot's name."""
        whole = f"/{name}" if where.spot is Spot.DIRECT else f"/{name}@{BOT_NAME}"
        entity = {"type": "bot_command", "offset": 0, "length": units(whole)}
        parsed = Parsed(f"{whole} {arguments}".rstrip(), [entity])
        stored = Stored(self.world.next_message_id(), self.world.person(person), parsed)
        self.puts(self.chat(where), stored)

    async def presses(self, person: str, post: str, label: str) -> None:
        """Press a button under a message of the bot."""
        chat, stored = self._found(post)
        data = next(one["callback_data"] for one in stored.buttons if one["text"] == label)
        query = {
            "id": f"query-{next(self.world.query_count)}",
            "from": self.world.person(person),
            "message": self.world.message_json(chat, stored),
            "chat_instance": "1",
            "data": data,
        }
        self.world.tell("callback_query", query)

    async def repeats(self, message: str, *, times: int) -> None:
        """Bring the update of a message again."""
        number = self._updates[message]
        update = {"update_id": number, "message": self._contents[number]}
        self.world.tell_again(number, update, times)

    async def sends_nonsense(self) -> None:
        """Bring an update that says nothing."""
        self.world.tell("message", {"message_id": "eleven", "chat": None})

    async def cuts_connections(self) -> None:
        """Reset every connection."""
        self.server.cut()

    def seen(self, where: Where) -> list[Seen]:
        """Return what the bot shows in a chat: messages, then drafts."""
        chat = self.chat(where)
        shown = [self._seen(chat, one) for one in chat.messages.values() if one.is_of_bot]
        drafts = [self._draft(one) for one in self.world.visible_drafts(chat)]
        return shown + drafts

    def mark(self, message: str) -> Mark:
        """Return what the bot's reaction on a message says."""
        return MARKS[self._found(message)[1].reaction]

    async def changed(self) -> None:
        """Return when something visible has changed since it was last asked."""
        await self.world.visible.wait()
        self.world.visible.clear()

    def fail(self, fault: Fault, *, times: int = 1, retry_after_s: float = 1.0) -> None:
        """Have the next calls that show something fail."""
        planned = Planned(fault, retry_after_s=retry_after_s)
        self.server.faults.planned.extend([planned] * times)

    @property
    def counts(self) -> Counts:
        """What was counted."""
        faults = self.server.faults
        accepted = [self._said[one] for one in self.world.confirmed if one in self._said]
        return Counts(faults.calls, faults.calls_in_penalty, accepted)

    def _remember(self, said: str, kind: str, content: dict[str, Any]) -> None:
        number = self.world.tell(kind, content)
        self._updates[said] = number
        self._said[number] = said
        self._contents[number] = content

    def _found(self, message: str) -> tuple[Chat, Stored]:
        chat_id, _, number = message.partition(":")
        chat = self.world.chats[int(chat_id)]
        return chat, chat.messages[int(number)]

    def _thread(self, where: Where) -> int:
        """Return what continues a conversation in a group: the bot's latest answer in it."""
        chat, _ = self._found(where.thread)
        number = int(where.thread.partition(":")[2])
        answers = [one.id for one in chat.messages.values() if one.reply_to == number]
        return answers[-1] if answers else number

    def _media(self, handed: Handed) -> dict[str, Any]:
        file_id = self.world.keep_file(handed.name, handed.data)
        described: dict[str, Any] = {
            "file_id": file_id,
            "file_unique_id": f"u-{file_id}",
            "file_size": len(handed.data),
        }
        if handed.media_type.startswith("image/"):
            thumbnail = {**described, "file_id": "thumbnail", "width": 90, "height": 90}
            return {"photo": [thumbnail, {**described, "width": 1280, "height": 720}]}
        name = {"file_name": handed.name, "mime_type": handed.media_type}
        return {"document": {**described, **name}}

    def _seen(self, chat: Chat, stored: Stored) -> Seen:
        return Seen(
            id=f"{chat.id}:{stored.id}",
            text=stored.parsed.text,
            has_markup=bool(stored.parsed.entities),
            buttons=tuple(one["text"] for one in stored.buttons),
            files=tuple(stored.files),
            pings=self._pings(stored.parsed),
        )

    def _draft(self, draft: Draft) -> Seen:
        return Seen(
            id="draft",
            text=draft.parsed.text,
            has_markup=bool(draft.parsed.entities),
            pings=self._pings(draft.parsed),
        )

    def _pings(self, parsed: Parsed) -> tuple[str, ...]:
        named = [name for name in mentioned(parsed) if name in self.world.people]
        linked = [
            str(one["user"]["id"])
            for one in parsed.entities
            if one["type"] == "text_mention" and one["user"]["id"] != BOT_ID
        ]
        return (*named, *linked)


@asynccontextmanager
async def make_driver() -> AsyncIterator[TelegramDriver]:
    """Start a stand-in Telegram on a free port."""
    async with bot_api_server() as server:
        yield TelegramDriver(server)
