"""How events reach a bot: over its sockets or by HTTP, again where they were not confirmed."""

import asyncio
import hashlib
import hmac
import itertools
import json
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

import aiohttp
from aiohttp import WSMsgType, web

from sympozium.testing.channels.driver import Counts
from tests.platforms.slack.workspace import BOT_USER, SIGNING_SECRET, TEAM, Wire, Workspace

ACK_WITHIN_S = 3.0
RETRIES_S = (0.3, 1.0, 3.0)
"""Slack's are at once, after one minute and after five."""


@dataclass
class Parcel:
    """Something on its way to the bot.

    Attributes:
        identity: What it is, for `Counts.accepted`.
        kind: `events_api`, `slash_commands` or `interactive`.
        times: How often it is brought at the most; 0: as often as `Delivery` repeats events.
        taken: What the bot answered with.
    """

    identity: str
    kind: str
    payload: Wire | str
    times: int = 0
    taken: asyncio.Future[Wire | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Delivery:
    """Brings parcels to the bot.

    Attributes:
        is_deaf: Sockets are opened and nothing is said on them after the hello.
        greets: Sockets say hello.
        is_lossy: Events do not arrive.
        ack_within_s: How long an event may take before it is told again.
        retries_s: Pauses before each of the next times that an event is told.
    """

    def __init__(self, workspace: Workspace, callback_url: str = "") -> None:
        self._workspace = workspace
        self._callback_url = callback_url
        self._sockets: list[web.WebSocketResponse] = []
        self._turns = itertools.count()
        self._waiting: dict[str, asyncio.Future[Wire | None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened = asyncio.Event()
        self.counts = Counts()
        self.answered: list[Wire] = []
        self.is_deaf = False
        self.greets = True
        self.is_lossy = False
        self.ack_within_s = ACK_WITHIN_S
        self.retries_s: Sequence[float] = RETRIES_S
        self.opened = 0
        self.least_open: int | None = None

    @property
    def open_sockets(self) -> int:
        """How many sockets are open now."""
        return len(self._sockets)

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator["Delivery"]:
        """Deliver while the block lasts."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                yield self
            finally:
                for task in list(self._tasks):
                    task.cancel()

    def send(self, parcel: Parcel) -> Parcel:
        """Bring a parcel to the bot, and again until it is confirmed or too often was not."""
        if self.is_lossy:
            return parcel
        assert self._group is not None
        task = self._group.create_task(self._bring(parcel))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return parcel

    async def link(self, request: web.Request) -> web.StreamResponse:
        """Be one socket of Socket Mode."""
        socket = web.WebSocketResponse(autoping=not self.is_deaf)
        await socket.prepare(request)
        self.opened += 1
        if self.greets:
            await socket.send_json(
                {
                    "type": "hello",
                    "num_connections": len(self._sockets) + 1,
                    "connection_info": {"app_id": "A1"},
                    "debug_info": {"host": "stand-in", "approximate_connection_time": 18060},
                }
            )
        self._sockets.append(socket)
        self._opened.set()
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT and not self.is_deaf:
                    self._confirmed(json.loads(frame.data))
        finally:
            self._sockets.remove(socket)
            self._note_open()
        return socket

    def watch_open(self) -> None:
        """Note the least number of open sockets from now on, in `least_open`."""
        self.least_open = len(self._sockets)

    async def disconnect(self, reason: str, *, number: int = 0) -> None:
        """Tell a socket that it ends, and close it a little later, as Slack does."""
        socket = self._sockets[number]
        await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {}})

    async def cut(self) -> None:
        """Break every socket."""
        for socket in list(self._sockets):
            transport = getattr(socket._req, "transport", None)
            if transport is not None:
                transport.abort()

    async def idle(self) -> None:
        """Return when everything is confirmed, or was brought too often."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def raw(self, text: str) -> None:
        """Send a frame as it is over one socket."""
        await (await self._socket()).send_str(text)

    async def wait_open(self, count: int) -> None:
        """Return when so many sockets are open."""
        while len(self._sockets) < count:
            self._opened.clear()
            await self._opened.wait()

    def _note_open(self) -> None:
        if self.least_open is not None:
            self.least_open = min(self.least_open, len(self._sockets))

    def _confirmed(self, answer: Wire) -> None:
        waiting = self._waiting.pop(answer.get("envelope_id", ""), None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer.get("payload"))

    async def _bring(self, parcel: Parcel) -> None:
        for attempt in range(parcel.times or 1 + len(self.retries_s)):
            if attempt:
                await asyncio.sleep(self.retries_s[attempt - 1])
            try:
                async with asyncio.timeout(self.ack_within_s):
                    answer = await self._brought(parcel, attempt)
            except (TimeoutError, aiohttp.ClientError, ConnectionError):
                continue
            self.counts.accepted.append(parcel.identity)
            if not parcel.taken.done():
                parcel.taken.set_result(answer)
            return

    async def _brought(self, parcel: Parcel, attempt: int) -> Wire | None:
        if self._callback_url:
            return await self._posted(parcel, attempt)
        if not self._sockets:
            raise ConnectionError("no socket is open")
        envelope: Wire = {
            "type": parcel.kind,
            "envelope_id": str(uuid.uuid4()),
            "payload": parcel.payload,
            "accepts_response_payload": parcel.kind != "events_api",
        }
        if parcel.kind == "events_api":
            envelope |= {
                "retry_attempt": attempt,
                "retry_reason": "timeout" if attempt else "",
            }
        confirmed = asyncio.get_running_loop().create_future()
        self._waiting[envelope["envelope_id"]] = confirmed
        await (await self._socket()).send_json(envelope)
        answer: Wire | None = await confirmed
        return answer

    async def _socket(self) -> web.WebSocketResponse:
        await self.wait_open(1)
        return self._sockets[next(self._turns) % len(self._sockets)]

    async def _posted(self, parcel: Parcel, attempt: int) -> Wire | None:
        body, content_type = _body(parcel)
        headers = signed(body) | {"Content-Type": content_type}
        if attempt:
            headers |= {"x-slack-retry-num": str(attempt), "x-slack-retry-reason": "http_error"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self._callback_url, data=body, headers=headers) as response,
        ):
            if response.status != 200:
                raise ConnectionError(f"answered {response.status}")
            text = await response.text()
            answer: Wire | None = json.loads(text) if text else None
            return answer


def _body(parcel: Parcel) -> tuple[bytes, str]:
    form = "application/x-www-form-urlencoded"
    if parcel.kind == "slash_commands":
        assert isinstance(parcel.payload, dict)
        return urlencode(parcel.payload).encode(), form
    data = parcel.payload if isinstance(parcel.payload, str) else json.dumps(parcel.payload)
    if parcel.kind == "interactive":
        return urlencode({"payload": data}).encode(), form
    return data.encode(), "application/json"


def signed(body: bytes, *, secret: str = SIGNING_SECRET, at: float | None = None) -> dict[str, str]:
    """Return the headers by which Slack's requests are known."""
    timestamp = str(int(time.time() if at is None else at))
    text = b"v0:" + timestamp.encode() + b":" + body
    signature = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={signature}"}


def callback(event: Wire, event_id: str) -> Wire:
    """Return what is around an event."""
    return {
        "type": "event_callback",
        "token": "old-verification-token",
        "team_id": TEAM,
        "api_app_id": "A1",
        "event": event,
        "event_id": event_id,
        "event_time": int(time.time()),
        "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
        "is_ext_shared_channel": False,
    }
