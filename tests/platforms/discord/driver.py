"""Discord as people see it, and the bot's program against it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from sympozium.chat.platform import Mark
from sympozium.testing.channels.driver import Counts, Fault, Handed, Seen, Spot, Traits, Where
from sympozium_discord.capabilities import CAPABILITIES
from sympozium_discord.marks import EMOJI
from tests.platforms.discord.api import Api
from tests.platforms.discord.faults import Faults
from tests.platforms.discord.ids import new_id
from tests.platforms.discord.looks import look, pings
from tests.platforms.discord.messages import attachment
from tests.platforms.discord.rules import menu_of, parts_of
from tests.platforms.discord.sockets import GatewayStand
from tests.platforms.discord.world import DIRECT, Json, Room, Whisper, World, now

TOKEN = "MTk4NjIyNDgzNDcx.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs"
SUPPRESS_EMBEDS = 1 << 2


class DiscordDriver:
    """One server, its people, and one bot. Made by `make_driver`."""

    capabilities = CAPABILITIES
    module = "sympozium_discord"
    traits = Traits(
        spots=frozenset(Spot),
        has_threads=True,
        can_edit=True,
        can_delete=True,
        has_files=True,
        has_commands=True,
    )

    def __init__(self) -> None:
        self.world = World()
        self.faults = Faults()
        self.gateway = GatewayStand(self.world, TOKEN, self.faults.counts)
        self.api = Api(self.world, self.faults, TOKEN)
        self.port = 0
        self.more_env: dict[str, str] = {}
        self.fetched: list[str] = []
        self.files_are_open = asyncio.Event()
        self.files_are_open.set()

    @property
    def env(self) -> dict[str, str]:
        """See `Driver.env`."""
        return {
            "DISCORD_BOT_TOKEN": TOKEN,
            "SYMPOZIUM_API_URL": f"http://127.0.0.1:{self.port}",
            "SYMPOZIUM_GATEWAY_URL": f"ws://127.0.0.1:{self.port}/gateway",
            **self.more_env,
        }

    @property
    def counts(self) -> Counts:
        """See `Driver.counts`."""
        return self.faults.counts

    def user_id(self, person: str) -> str:
        """See `Driver.user_id`."""
        return str(self.world.person(person)["id"])

    def chat_id(self, where: Where) -> str:
        """See `Driver.chat_id`: a direct chat is one whoever looks."""
        return self._room(where).id

    async def says(
        self,
        person: str,
        where: Where,
        text: str,
        *,
        mention: bool = False,
        files: Sequence[Handed] = (),
    ) -> str:
        """See `Driver.says`."""
        room = self._enter(person, where)
        content = f"<@{self.world.bot}> {text}" if mention else text
        added = [attachment(self.world, room, one.name, one.media_type, one.data) for one in files]
        user = self.world.person(person)
        return str(self.world.write(room, user, content, attachments=added)["id"])

    async def edits(self, message: str, text: str) -> None:
        """See `Driver.edits`: a mention that was there stays."""
        room, known = self.world.find(message)
        mention = f"<@{self.world.bot}> "
        kept = mention if known["content"].startswith(mention) else ""
        known |= {"content": kept + text, "edited_timestamp": now()}
        self.world.dispatch("MESSAGE_UPDATE", self.world.event_of(room, known))

    async def deletes(self, message: str) -> None:
        """See `Driver.deletes`."""
        room, _ = self.world.find(message)
        del room.messages[message]
        about: Json = {"id": message, "channel_id": room.id}
        guild = {"guild_id": room.guild_id} if room.guild_id else {}
        self.world.dispatch("MESSAGE_DELETE", about | guild)

    async def commands(self, person: str, where: Where, name: str, arguments: str = "") -> None:
        """See `Driver.commands`: one that is not in the menu cannot be given."""
        room = self._enter(person, where)
        while name not in {one["name"] for one in self.world.commands}:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        command = next(one for one in self.world.commands if one["name"] == name)
        option = command["options"][0]["name"] if command["options"] else ""
        given = [{"type": 3, "name": option, "value": arguments}] if arguments else []
        self._interact(person, room, 2, {"id": new_id(), "name": name, "options": given})

    async def presses(self, person: str, post: str, label: str) -> None:
        """See `Driver.presses`."""
        room, message = self.world.find(post)
        value = dict(parts_of(message))[label]
        menu = menu_of(message, value)
        data: Json = {"custom_id": menu or value, "component_type": 3 if menu else 2}
        self._interact(person, room, 3, data | ({"values": [value]} if menu else {}))

    async def repeats(self, message: str, *, times: int) -> None:
        """See `Driver.repeats`."""
        room, known = self.world.find(message)
        for _ in range(times):
            self.world.dispatch("MESSAGE_CREATE", self.world.event_of(room, known))

    async def sends_nonsense(self) -> None:
        """See `Driver.sends_nonsense`."""
        self.world.dispatch("MESSAGE_CREATE", {"id": [1], "author": "nobody", "content": 7})

    async def cuts_connections(self) -> None:
        """See `Driver.cuts_connections`."""
        self.gateway.cut()

    def seen(self, where: Where) -> list[Seen]:
        """See `Driver.seen`."""
        room = self._room(where)
        rooms = [room, *self.world.threads_of(room)]
        found = [one for room in rooms for one in self._posts(room)]
        whispered = (
            self._whisper(id_, whisper)
            for id_, whisper in self.world.whispers.items()
            if whisper.room in {one.id for one in rooms} and not whisper.is_loading
        )
        return sorted([*found, *whispered], key=lambda one: int(one.id))

    def mark(self, message: str) -> Mark:
        """See `Driver.mark`."""
        there = self.world.reactions.get(message, set())
        marks = [mark for mark, emoji in EMOJI.items() if emoji in there]
        return marks[0] if len(marks) == 1 else Mark.NONE

    async def changed(self) -> None:
        """See `Driver.changed`."""
        await self.world.change.wait()
        self.world.change.clear()

    def fail(self, fault: Fault, *, times: int = 1, retry_after_s: float = 1.0) -> None:
        """See `Driver.fail`."""
        self.faults.add(fault, times, retry_after_s)

    def app(self) -> web.Application:
        """Return the HTTP side of it all."""
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.add_routes(self.api.routes())
        app.router.add_get("/", self.gateway.serve)
        app.router.add_get("/gateway{rest:.*}", self.gateway.serve)
        app.router.add_get("/attachments/{path:.*}", self._file)
        return app

    async def _file(self, request: web.Request) -> web.Response:
        assert "Authorization" not in request.headers, "the token is not the files' business"
        self.fetched.append(request.path)
        await self.files_are_open.wait()
        data = self.world.files.get(request.path)
        return web.Response(status=404) if data is None else web.Response(body=data)

    def _enter(self, person: str, where: Where) -> Room:
        self.world.person(person)
        return self._room(where)

    def _room(self, where: Where) -> Room:
        if where.spot is Spot.DIRECT:
            return self.world.direct(where.name)
        if where.thread:
            return self.world.thread_on(where.thread)
        return self.world.channel(where.name)

    def _posts(self, room: Room) -> Iterator[Seen]:
        for message in room.messages.values():
            if message["author"]["id"] == self.world.bot:
                yield _seen(message, in_thread_of=room.id if room.is_thread else "")

    def _whisper(self, id_: str, whisper: Whisper) -> Seen:
        return _seen(whisper.message | {"id": id_}, only_for=whisper.person)

    def _interact(self, person: str, room: Room, type_: int, data: Json) -> None:
        asked = self.api.whispers.ask(person, room.id)
        user = self.world.person(person)
        who: Json = {"user": user} if room.type == DIRECT else {"member": {"user": user}}
        if room.type != DIRECT:
            who["member"] |= {"roles": self.world.roles.get(user["id"], []), "nick": None}
            who["guild_id"] = room.guild_id
        about = {"id": asked.id, "token": asked.token, "type": type_, "data": data, "version": 1}
        where = {"channel_id": room.id, "channel": room.as_json()}
        application = {"application_id": self.world.application}
        self.world.dispatch("INTERACTION_CREATE", about | where | who | application)


def _seen(message: Json, *, in_thread_of: str = "", only_for: str = "") -> Seen:
    looks = look(message.get("content") or "")
    shows_cards = not message.get("flags", 0) & SUPPRESS_EMBEDS
    cards = (message.get("embeds") or []) if shows_cards else []
    return Seen(
        id=message["id"],
        text="\n".join(text for text in (looks.text, *map(_card, cards)) if text),
        has_markup=looks.has_markup,
        buttons=tuple(label for label, _ in parts_of(message)),
        files=tuple(one["filename"] for one in message.get("attachments") or []),
        in_thread_of=in_thread_of,
        only_for=only_for,
        pings=pings(message.get("content") or "", message.get("allowed")),
    )


def _card(card: Json) -> str:
    return look(card.get("description", "")).text


@asynccontextmanager
async def make_driver() -> AsyncIterator[DiscordDriver]:
    """Start a Discord on a free port of 127.0.0.1, and end it."""
    driver = DiscordDriver()
    runner = web.AppRunner(driver.app(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        driver.port = runner.addresses[0][1]
        yield driver
    finally:
        driver.gateway.cut()
        with contextlib.suppress(TimeoutError):
            await runner.cleanup()
