"""Messages through the API: posting, changing, reacting, threads, with Discord's refusals."""

import json
from typing import Any

from aiohttp import web

from tests.platforms.discord.faults import Faults, RefusedError
from tests.platforms.discord.ids import new_id
from tests.platforms.discord.rules import MAX_FILE_BYTES, check_message, invalid
from tests.platforms.discord.world import Json, Room, World, now

CDN = "https://cdn.discordapp.com"


class Messages:
    """The calls about messages."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world = world
        self._faults = faults

    async def post(self, request: web.Request) -> web.Response:
        """Put a message of the bot into a room; the same nonce again returns the first one."""
        body, files = await _body(request)

        async def do() -> web.Response:
            room = self._room(request)
            if room.locked:
                raise RefusedError(403, 160005, "Thread is locked")
            check_message(body, has_files=bool(files), room=room.id)
            return _json(self._posted(room, body, files))

        return await self._faults.meet(
            request, request.match_info["room"], body.get("content") or "", do
        )

    async def edit(self, request: web.Request) -> web.Response:
        """Change a message of the bot."""
        body = await request.json()

        async def do() -> web.Response:
            room, message = self._own(request)
            if room.archived:
                raise RefusedError(400, 50083, "Thread is archived")
            check_message(body, has_files=bool(message["attachments"]), room=room.id)
            if body.get("embeds") and not room.allows_cards:
                raise RefusedError(403, 50013, "Missing Permissions")
            message |= {"content": (body.get("content") or "").strip(), "edited_timestamp": now()}
            message |= {key: body[key] for key in ("components", "embeds", "flags") if key in body}
            message["allowed"] = body.get("allowed_mentions")
            self._world.dispatch("MESSAGE_UPDATE", self._world.event_of(room, _public(message)))
            self._world.changed()
            return _json(_public(message))

        return await self._faults.meet(
            request, request.match_info["room"], body.get("content") or "", do
        )

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a message of the bot."""
        room, message = self._own(request)
        del room.messages[message["id"]]
        self._world.changed()
        return web.Response(status=204)

    async def history(self, request: web.Request) -> web.Response:
        """Return messages of a room, newest first, as a history has them."""
        room = self._room(request)
        after = int(request.query.get("after", "0"))
        limit = int(request.query.get("limit", "50"))
        if not 1 <= limit <= 100:
            raise invalid("limit")
        ids = sorted((id_ for id_ in room.messages if int(id_) > after), key=int)[:limit]
        return _json([_public(room.messages[id_]) for id_ in reversed(ids)])

    async def begin_thread(self, request: web.Request) -> web.Response:
        """Make the thread that hangs on a message."""
        room, message = self._found(request)
        body = await request.json()
        if not 1 <= len(body["name"]) <= 100:
            raise invalid("name")
        if not room.allows_threads:
            raise RefusedError(403, 50013, "Missing Permissions")
        if message["id"] in self._world.rooms:
            raise RefusedError(400, 160004, "A thread has already been created for this message")
        return _json(self._world.begin_thread(room, message["id"], body["name"]).as_json(), 201)

    async def react(self, request: web.Request) -> web.Response:
        """Put a reaction on."""
        _, message = self._found(request)
        self._world.reactions.setdefault(message["id"], set()).add(request.match_info["emoji"])
        self._world.changed()
        return web.Response(status=204)

    async def unreact(self, request: web.Request) -> web.Response:
        """Take a reaction away."""
        _, message = self._found(request)
        there = self._world.reactions.get(message["id"], set())
        if request.match_info["emoji"] not in there:
            raise RefusedError(404, 10014, "Unknown Emoji")
        there.remove(request.match_info["emoji"])
        self._world.changed()
        return web.Response(status=204)

    async def type(self, request: web.Request) -> web.Response:
        """Show that the bot types."""
        self._world.typings.append(self._room(request).id)
        return web.Response(status=204)

    def _posted(self, room: Room, body: Json, files: list[tuple[str, str, bytes]]) -> Json:
        nonce = str(body.get("nonce", ""))
        if nonce and body.get("enforce_nonce") and nonce in room.nonces:
            known = room.messages.get(room.nonces[nonce])
            if known is not None:
                return _public(known) | {"nonce": nonce}
        message = self._world.write(
            room,
            self._world.bot_user,
            (body.get("content") or "").strip(),
            components=body.get("components") or [],
            embeds=body.get("embeds") or [],
            flags=body.get("flags", 0),
            allowed=body.get("allowed_mentions"),
            attachments=[self._stored(room, *file) for file in files],
            **({"message_reference": body["message_reference"]} if _refers(body) else {}),
            **({"nonce": nonce} if nonce else {}),
        )
        message.pop("nonce", None)  # a history does not tell it
        room.nonces[nonce] = message["id"]
        return _public(message) | {"nonce": nonce}

    def _stored(self, room: Room, name: str, media_type: str, data: bytes) -> Json:
        if len(data) > MAX_FILE_BYTES:
            raise RefusedError(413, 40005, "Request entity too large")
        return attachment(self._world, room, name, media_type, data)

    def _room(self, request: web.Request) -> Room:
        room = self._world.rooms.get(request.match_info["room"])
        if room is None:
            raise RefusedError(404, 10003, "Unknown Channel")
        if room.is_closed:
            raise RefusedError(403, 50001, "Missing Access")
        return room

    def _found(self, request: web.Request) -> tuple[Room, Json]:
        room = self._room(request)
        message = room.messages.get(request.match_info["message"])
        if message is None:
            raise RefusedError(404, 10008, "Unknown Message")
        return room, message

    def _own(self, request: web.Request) -> tuple[Room, Json]:
        room, message = self._found(request)
        if message["author"]["id"] != self._world.bot:
            raise RefusedError(403, 50005, "Cannot edit a message authored by another user")
        return room, message


def attachment(world: World, room: Room, name: str, media_type: str, data: bytes) -> Json:
    """Store a file and return what a message says of it."""
    id_ = new_id()
    path = f"/attachments/{room.id}/{id_}/{name}"
    world.files[path] = data
    about: dict[str, Any] = {"id": id_, "filename": name, "size": len(data)}
    return about | {"content_type": media_type, "url": f"{CDN}{path}?ex=1&is=2&hm=3"}


async def _body(request: web.Request) -> tuple[Json, list[tuple[str, str, bytes]]]:
    if request.content_type == "application/json":
        return await request.json(), []
    form = await request.post()
    files = []
    for name, part in form.items():
        if isinstance(part, web.FileField):
            assert name.startswith("files["), name
            files.append((part.filename, part.content_type, part.file.read()))
    told = form["payload_json"]  # bytes, where the part names a content type, as it may
    return json.loads(told if isinstance(told, bytes | bytearray | str) else b""), files


def _refers(body: Json) -> bool:
    return "message_reference" in body


def _public(message: Json) -> Json:
    return {key: value for key, value in message.items() if key != "allowed"}


def _json(body: Any, status: int = 200) -> web.Response:
    data = json.dumps(body).encode()
    return web.Response(status=status, body=data, headers={"Content-Type": "application/json"})
