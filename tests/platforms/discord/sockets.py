"""The gateway: sessions that outlive their sockets, compression, heartbeats, refusals."""

import asyncio
import contextlib
import json
import zlib
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from sympozium.testing.channels.driver import Counts
from tests.platforms.discord.ids import new_id
from tests.platforms.discord.world import DIRECT, TEXT, Json, World, now

DISPATCH, HEARTBEAT, IDENTIFY, RESUME = 0, 1, 2, 6
RECONNECT, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 7, 9, 10, 11
PLATFORMS_RESUME_URL = "wss://gateway-us-east1-b.discord.gg"
CONTENT_INTENT = 1 << 15


@dataclass
class Session:
    """One session, with everything that it was told."""

    id: str
    events: list[Json] = field(default_factory=list)
    socket: "Socket | None" = None
    confirmed: int = 0


class Socket:
    """One connection, with its own compression."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request) -> None:
        self.ws = ws
        self.request = request
        self.queue: asyncio.Queue[Json | str | bytes | int | None] = asyncio.Queue()
        self.was_closed_here = False
        self._deflate = zlib.compressobj()

    async def send_loop(self) -> None:
        """Send what is queued: an event, a raw text, bytes as they are, or a close code."""
        while (item := await self.queue.get()) is not None:
            if isinstance(item, int):
                self.was_closed_here = True
                await self.ws.close(code=item)
                return
            if isinstance(item, bytes):
                with contextlib.suppress(ConnectionError):
                    await self.ws.send_bytes(item)
                continue
            text = item if isinstance(item, str) else json.dumps(item)
            data = self._deflate.compress(text.encode()) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
            with contextlib.suppress(ConnectionError):
                half = len(data) // 2 if len(data) > 1000 else 0
                if half:
                    await self.ws.send_bytes(data[:half])
                await self.ws.send_bytes(data[half:])

    def abort(self) -> None:
        """Reset the connection."""
        if self.request.transport is not None:
            self.request.transport.abort()


class GatewayStand:
    """The gateway of one bot. The attributes are faults that a test switches on."""

    def __init__(self, world: World, token: str, counts: Counts) -> None:
        self._world = world
        self._token = token
        self._counts = counts
        self.sessions: dict[str, Session] = {}
        self.sockets: list[Socket] = []
        self.identified = 0
        self.resumed = 0
        self.paths: list[str] = []
        self.connections = asyncio.Event()
        self.heartbeat_ms = 41_250
        self.refuses_resume = False
        self.is_silent = False
        self.close_identify_with = 0
        self.away_times = 0
        self.resume_url = PLATFORMS_RESUME_URL
        world.dispatch = self.dispatch

    def dispatch(self, name: str, data: Json) -> None:
        """Tell every session of something, now or when it comes back."""
        for session in self.sessions.values():
            event = {"op": DISPATCH, "t": name, "d": data, "s": len(session.events) + 1}
            session.events.append(event)
            if session.socket is not None:
                session.socket.queue.put_nowait(event)

    def send(self, item: Json | str | bytes | int) -> None:
        """Send to every connection: an object, a raw text, bytes as they are, or a close code."""
        for socket in self.sockets:
            socket.queue.put_nowait(item)

    def cut(self) -> None:
        """Reset every connection."""
        for socket in list(self.sockets):
            socket.abort()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection."""
        self.paths.append(request.path_qs)
        self.connections.set()
        if self.away_times:
            self.away_times -= 1
            return web.Response(status=503)
        assert request.query.get("compress") == "zlib-stream", request.path_qs
        assert request.query.get("v") == "10", request.path_qs
        ws = web.WebSocketResponse(max_msg_size=4096)
        await ws.prepare(request)
        socket = Socket(ws, request)
        self.sockets.append(socket)
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(socket.send_loop())
                await self._receive(socket)
                sending.cancel()
        finally:
            self._gone(socket)
        return ws

    async def _receive(self, socket: Socket) -> None:
        if not self.is_silent:
            socket.queue.put_nowait(
                {"op": HELLO, "d": {"heartbeat_interval": self.heartbeat_ms}, "s": None, "t": None}
            )
        async for message in socket.ws:
            if message.type is not WSMsgType.TEXT:
                socket.queue.put_nowait(4002)
                continue
            said: Json = json.loads(message.data)
            if not self.is_silent:
                self._hear(socket, said["op"], said["d"])

    def _hear(self, socket: Socket, op: int, data: Any) -> None:
        if op == HEARTBEAT:
            self._confirm(socket, data or 0)
            socket.queue.put_nowait({"op": HEARTBEAT_ACK, "d": None, "s": None, "t": None})
        elif op == IDENTIFY:
            self._identify(socket, data)
        elif op == RESUME:
            self._resume(socket, data)
        else:
            socket.queue.put_nowait(4001)

    def _identify(self, socket: Socket, data: Json) -> None:
        self.identified += 1
        if self.close_identify_with:
            socket.queue.put_nowait(self.close_identify_with)
            return
        if data["token"] != self._token:
            socket.queue.put_nowait(4004)
            return
        if data["intents"] & CONTENT_INTENT and not self._world.has_message_content:
            socket.queue.put_nowait(4014)
            return
        assert set(data["properties"]) == {"os", "browser", "device"}
        session = Session(new_id(), socket=socket)
        self.sessions[session.id] = session
        for name, about in (("READY", self._ready(session)), ("GUILD_CREATE", self._guild())):
            event = {"op": DISPATCH, "t": name, "d": about, "s": len(session.events) + 1}
            session.events.append(event)
            socket.queue.put_nowait(event)

    def _resume(self, socket: Socket, data: Json) -> None:
        session = self.sessions.get(data["session_id"])
        if data["token"] != self._token:
            socket.queue.put_nowait(4004)
            return
        if session is None or self.refuses_resume or data["seq"] > len(session.events):
            self.refuses_resume = False
            invalid = {"op": INVALID_SESSION, "d": False, "s": None, "t": None}
            socket.queue.put_nowait(invalid)
            return
        self.resumed += 1
        session.socket = socket
        self._confirm(socket, data["seq"])
        for event in session.events[data["seq"] :]:
            socket.queue.put_nowait(event)
        resumed = {"op": DISPATCH, "t": "RESUMED", "d": {"_trace": []}}
        socket.queue.put_nowait(resumed | {"s": len(session.events) or None})

    def _confirm(self, socket: Socket, sequence: int) -> None:
        for session in self.sessions.values():
            if session.socket is socket:
                for event in session.events[session.confirmed : sequence]:
                    about = event["d"]
                    if event["t"] == "MESSAGE_CREATE" and isinstance(about, dict):
                        self._counts.accepted.append(str(about.get("id")))
                session.confirmed = max(session.confirmed, sequence)

    def _gone(self, socket: Socket) -> None:
        self.sockets.remove(socket)
        for session in list(self.sessions.values()):
            if session.socket is socket:
                session.socket = None
                if not socket.was_closed_here and socket.ws.close_code in {1000, 1001}:
                    del self.sessions[session.id]

    def _ready(self, session: Session) -> Json:
        return {
            "v": 10,
            "user": self._world.bot_user | {"verified": True, "email": None, "flags": 0},
            "guilds": [{"id": self._world.guild, "unavailable": True}],
            "session_id": session.id,
            "resume_gateway_url": self.resume_url,
            "private_channels": [],
            "application": {"id": self._world.application, "flags": 0},
        }

    def _guild(self) -> Json:
        rooms = [room for room in self._world.rooms.values() if room.type != DIRECT]
        return {
            "id": self._world.guild,
            "name": "Test",
            "unavailable": False,
            "joined_at": now(),
            "channels": [room.as_json() for room in rooms if room.type == TEXT],
            "threads": [room.as_json() for room in rooms if room.is_thread],
            "roles": self._world.server_roles,
            "members": [],
        }
