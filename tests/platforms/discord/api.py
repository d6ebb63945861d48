"""The HTTP API: who calls, within which limit, and what of the state they get or change."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.platforms.discord.faults import Faults, RefusedError
from tests.platforms.discord.ids import new_id
from tests.platforms.discord.limits import Limits
from tests.platforms.discord.messages import Messages
from tests.platforms.discord.whispers import Whispers
from tests.platforms.discord.world import TEXT, Room, World

BASE = "/api/v10"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api:
    """Answers the calls of one bot."""

    def __init__(self, world: World, faults: Faults, token: str) -> None:
        self._world = world
        self._token = token
        self.limits = Limits()
        self.paths: list[str] = []
        self.is_down = False
        self.is_hung = False
        self.is_no_api = False
        self.flags = 1 << 19
        self.permissions = (1 << 40) - 1
        self._messages = Messages(world, faults)
        self.whispers = Whispers(world, faults)

    def routes(self) -> list[web.RouteDef]:
        """Return everything that can be called."""
        room, message = "/channels/{room}", "/channels/{room}/messages/{message}"
        original = "/webhooks/{application}/{token}/messages/@original"
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/gateway/bot", self._gateway),
            ("GET", "/users/@me", self._me),
            ("GET", "/users/@me/guilds", self._guilds),
            ("GET", "/applications/@me", self._application),
            ("GET", "/oauth2/applications/@me", self._application),
            ("GET", "/guilds/{guild}", self._guild),
            ("GET", "/guilds/{guild}/channels", self._channels),
            ("GET", "/guilds/{guild}/threads/active", self._active),
            ("GET", "/guilds/{guild}/members/{user}", self._member),
            ("GET", "/guilds/{guild}/roles", self._roles),
            ("GET", room, self._room),
            ("PATCH", room, self._change_room),
            ("POST", room + "/typing", self._messages.type),
            ("GET", room + "/messages", self._messages.history),
            ("POST", room + "/messages", self._messages.post),
            ("PATCH", message, self._messages.edit),
            ("DELETE", message, self._messages.delete),
            ("POST", message + "/threads", self._messages.begin_thread),
            ("PUT", message + "/reactions/{emoji}/@me", self._messages.react),
            ("DELETE", message + "/reactions/{emoji}/@me", self._messages.unreact),
            ("GET", "/applications/{application}/commands", self._commands),
            ("PUT", "/applications/{application}/commands", self._write_commands),
            ("POST", "/interactions/{id}/{token}/callback", self.whispers.callback),
            ("PATCH", original, self.whispers.edit),
            ("DELETE", original, self.whispers.delete),
        ]
        return [
            web.route(method, BASE + path, self._guarded(f"{method} {path}", handler))
            for method, path, handler in table
        ]

    def _guarded(self, route: str, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            room = request.match_info.get("room", "")
            self.paths.append(f"{request.method} {request.path}")
            if self.is_hung:
                await asyncio.Event().wait()
            try:
                limited = self._check(request) or self.limits.take(route, room)
                response = limited if limited is not None else await handler(request)
            except RefusedError as error:
                response = _json(error.body, status=error.status)
            if response.status != 429 and not response.prepared:
                response.headers.update(self.limits.headers(route, room))
            return response

        return guarded

    def _check(self, request: web.Request) -> web.Response | None:
        if self.is_no_api:
            return web.Response(text="<html>Welcome to our proxy</html>", content_type="text/html")
        if self.is_down:
            return web.Response(status=503, text="<html>unavailable</html>")
        assert request.headers["User-Agent"].startswith("DiscordBot ("), "an edge server refuses it"
        is_open = "/interactions/" in request.path or "/webhooks/" in request.path
        if not is_open and request.headers.get("Authorization") != f"Bot {self._token}":
            raise RefusedError(401, 0, "401: Unauthorized")
        if request.content_type not in {"application/json", "multipart/form-data"}:
            assert not request.body_exists, request.content_type
        return None

    async def _gateway(self, _request: web.Request) -> web.Response:
        limit = {"total": 1000, "remaining": 990, "reset_after": 0, "max_concurrency": 1}
        url = "wss://gateway.discord.gg"
        return _json({"url": url, "shards": 1, "session_start_limit": limit})

    async def _me(self, _request: web.Request) -> web.Response:
        return _json(self._world.bot_user)

    async def _application(self, _request: web.Request) -> web.Response:
        id_, flags = self._world.application, self.flags
        about = {"id": id_, "name": "Helper", "description": "", "icon": None, "flags": flags}
        public = {"bot_public": True, "bot_require_code_grant": False, "verify_key": "0"}
        return _json(about | public | {"owner": self._world.bot_user, "team": None})

    async def _guilds(self, request: web.Request) -> web.Response:
        is_after = int(self._world.guild) > int(request.query.get("after", "0"))
        permissions = str(self.permissions)
        one = {"id": self._world.guild, "name": "Test", "permissions": permissions}
        return _json([one] if is_after else [])

    async def _guild(self, request: web.Request) -> web.Response:
        if request.match_info["guild"] != self._world.guild:
            raise RefusedError(404, 10004, "Unknown Guild")
        roles = [{"id": self._world.guild, "permissions": str(self.permissions)}]
        return _json({"id": self._world.guild, "name": "Test", "roles": roles})

    async def _roles(self, _request: web.Request) -> web.Response:
        everyone = {"id": self._world.guild, "permissions": str(self.permissions)}
        return _json([everyone, *self._world.server_roles])

    async def _channels(self, _request: web.Request) -> web.Response:
        rooms = [room for room in self._world.rooms.values() if room.type == TEXT]
        return _json([room.as_json() for room in rooms])

    async def _active(self, _request: web.Request) -> web.Response:
        rooms = self._world.rooms.values()
        threads = [room.as_json() for room in rooms if room.is_thread and not room.archived]
        return _json({"threads": threads, "members": []})

    async def _member(self, request: web.Request) -> web.Response:
        user = request.match_info["user"]
        roles = self._world.roles.get(user, [])
        if user == self._world.bot:
            return _json({"user": self._world.bot_user, "roles": roles, "nick": None})
        if user not in self._world.people.values():
            raise RefusedError(404, 10007, "Unknown Member")
        person = self._world.person(self._world.name_of(user))
        return _json({"user": person, "roles": roles, "nick": None})

    async def _room(self, request: web.Request) -> web.Response:
        return _json(self._found(request).as_json())

    async def _change_room(self, request: web.Request) -> web.Response:
        room = self._found(request)
        if room.locked:
            raise RefusedError(403, 50013, "Missing Permissions")
        room.archived = bool((await request.json()).get("archived", room.archived))
        return _json(room.as_json())

    async def _commands(self, _request: web.Request) -> web.Response:
        return _json(self._world.commands)

    async def _write_commands(self, request: web.Request) -> web.Response:
        written = await request.json()
        names = [one["name"] for one in written]
        assert len(names) == len(set(names))
        assert all(one["description"] for one in written)
        self._world.command_writes += 1
        version = {"version": new_id(), "application_id": self._world.application}
        self._world.commands = [one | {"id": new_id()} | version for one in written]
        return _json(self._world.commands)

    def _found(self, request: web.Request) -> Room:
        room = self._world.rooms.get(request.match_info["room"])
        if room is None:
            raise RefusedError(404, 10003, "Unknown Channel")
        if room.is_closed:
            raise RefusedError(403, 50001, "Missing Access")
        return room


def _json(body: Any, *, status: int = 200) -> web.Response:
    """Return JSON with exactly the content type that Discord sends."""
    data = json.dumps(body).encode()
    return web.Response(status=status, body=data, headers={"Content-Type": "application/json"})
