"""One Socket Mode connection, from its opening to its end."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import msgspec
from aiohttp import WSCloseCode, WSMsgType

from sympozium.contract.errors import PermanentError, TransientError
from sympozium_slack.api import Api
from sympozium_slack.events import Envelope, UnreadableError, read

HELLO_TIMEOUT_S = 10.0
PING_EVERY_S = 5.0
DEAF_AFTER_S = 15.0
"""A connection on which nothing came for so long, pongs included, is given up."""

LINGER_S = 10.0
"""How long a connection is read on after Slack said that it ends: some events still come."""

CLOSE_TIMEOUT = aiohttp.ClientWSTimeout(ws_close=2.0)
MAX_AT_ONCE = 64
"""Events of one connection in hand; more are not read until one of them is stored."""

MAX_FRAME_BYTES = 4 * 1024 * 1024
"""A larger one is not read, and ends its connection: many of them at once would fill the memory."""

TOO_LARGE = f"cannot read what Slack sends: a frame has more than {MAX_FRAME_BYTES} bytes"

log = logging.getLogger(__name__)

Answer = dict[str, Any] | None
TakeEnvelope = Callable[[Envelope], Awaitable[Answer]]
"""Stores what is in an envelope, and returns what its acknowledgement is to carry, if anything.

Raises `TransientError` or `PermanentError` where it is not stored: the envelope is then
not acknowledged, and Slack sends it again or tells the person.
"""

SetAside = Callable[[bytes, str], Awaitable[None]]
"""Keeps a frame that nobody can read."""


class LinkClosedError(TransientError):
    """A connection that could not be opened, or ended without having announced it."""


class Link:
    """One connection.

    Attributes:
        leaving: Set when its successor should be opened: it was told to end, or has ended.
        greeted: Set when Slack has said hello.
        error: Why it ended, where it was not told to.
    """

    def __init__(self, api: Api, take: TakeEnvelope, set_aside: SetAside) -> None:
        self.leaving = asyncio.Event()
        self.greeted = asyncio.Event()
        self.error: TransientError | PermanentError | None = None
        self._api = api
        self._take = take
        self._set_aside = set_aside
        self._room = asyncio.Semaphore(MAX_AT_ONCE)

    async def live(
        self, stop: asyncio.Event, *, on_hello: Callable[[], None], on_life: Callable[[], None]
    ) -> None:
        """Serve the connection until it ends or *stop* is set; then finish what is in hand.

        Args:
            stop: Ends it.
            on_hello: Called once, when it is open.
            on_life: Called for everything that comes after that, pongs included.
        """
        try:
            socket = await self._opened()
        except (TransientError, PermanentError) as error:
            self.error = error
            self.leaving.set()
            return
        try:
            self.greeted.set()
            on_hello()
            await self._serve(socket, stop, on_life)
        finally:
            self.leaving.set()
            await socket.close()

    async def _opened(self) -> aiohttp.ClientWebSocketResponse:
        """Return the connection after its hello."""
        answer = await self._api.call("apps.connections.open")
        url = self._api.addresses.of_socket(str(answer.get("url") or ""))
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                socket = await self._api.session.ws_connect(
                    url, autoping=False, max_msg_size=MAX_FRAME_BYTES, timeout=CLOSE_TIMEOUT
                )
                try:
                    await self._hello(socket)
                except BaseException:
                    await socket.close()
                    raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise LinkClosedError(
                f"cannot open a connection to Slack: {type(error).__name__}"
            ) from None
        return socket

    async def _hello(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            frame = await socket.receive()
            if frame.type is WSMsgType.PING:
                await socket.pong(frame.data)
            elif frame.type is WSMsgType.TEXT:
                envelope = read(frame.data.encode(), Envelope)
                if envelope.type == "hello":
                    return
                raise LinkClosedError(f"Slack says {envelope.reason or envelope.type!r} at once")
            elif frame.type is not WSMsgType.PONG:
                raise LinkClosedError("Slack closed the connection before its hello")

    async def _serve(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        stop: asyncio.Event,
        on_life: Callable[[], None],
    ) -> None:
        async with asyncio.TaskGroup() as works:
            reading = works.create_task(self._read(socket, works, on_life))
            stopping = works.create_task(stop.wait())
            await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
            reading.cancel()
            stopping.cancel()

    async def _read(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        works: asyncio.TaskGroup,
        on_life: Callable[[], None],
    ) -> None:
        """Read frames until the connection ends; say in `error` why, unless it was told to."""
        loop = asyncio.get_running_loop()
        heard_at, until = loop.time(), float("inf")
        while loop.time() < until:
            if self.leaving.is_set() and until == float("inf"):
                until = loop.time() + LINGER_S
            try:
                frame = await socket.receive(timeout=PING_EVERY_S)
            except TimeoutError:
                if loop.time() - heard_at > DEAF_AFTER_S:
                    self.error = LinkClosedError("the connection to Slack is open and deaf")
                    return
                if not await _pinged(socket):
                    self.error = LinkClosedError("the connection to Slack broke")
                    return
                continue
            heard_at = loop.time()
            on_life()
            if not await self._handle(frame, socket, works):
                return

    async def _handle(
        self,
        frame: aiohttp.WSMessage,
        socket: aiohttp.ClientWebSocketResponse,
        works: asyncio.TaskGroup,
    ) -> bool:
        """Handle one frame; return whether another may come."""
        if frame.type is WSMsgType.PING:
            await socket.pong(frame.data)
        elif frame.type is WSMsgType.TEXT:
            await self._room.acquire()
            works.create_task(self._take_frame(frame.data, socket))
        elif frame.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
            if frame.type is WSMsgType.ERROR and socket.close_code == WSCloseCode.MESSAGE_TOO_BIG:
                self.error = LinkClosedError(TOO_LARGE)
                works.create_task(self._note_too_large())
            elif not self.leaving.is_set():
                self.error = LinkClosedError("Slack closed the connection")
            return False
        return True

    async def _note_too_large(self) -> None:
        """Tell a person of an event that nobody can take. Slack brings it again, in vain."""
        try:
            await self._set_aside(b"", TOO_LARGE)
        except (TransientError, PermanentError) as error:
            log.warning("event not set aside", extra={"action": "drop", "cause": str(error)})

    async def _take_frame(self, data: str, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            await self._take_envelope(data, socket)
        except (TransientError, PermanentError) as error:
            log.warning("event not acknowledged", extra={"action": "refuse", "cause": str(error)})
        finally:
            self._room.release()

    async def _take_envelope(self, data: str, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            envelope = read(data.encode(errors="replace"), Envelope)
        except UnreadableError as error:
            await self._set_aside(data.encode(errors="replace"), str(error))
            return
        if envelope.type == "disconnect":
            log.info(
                "socket told to end", extra={"action": "renew", "reason": str(envelope.reason)}
            )
            self.leaving.set()
            return
        answer = await self._take(envelope)
        if envelope.envelope_id:
            acknowledged: dict[str, Any] = {"envelope_id": envelope.envelope_id}
            if answer is not None:
                acknowledged["payload"] = answer
            await _send(socket, msgspec.json.encode(acknowledged).decode())


async def _pinged(socket: aiohttp.ClientWebSocketResponse) -> bool:
    try:
        await socket.ping()
    except (ConnectionError, aiohttp.ClientError):
        return False
    return True


async def _send(socket: aiohttp.ClientWebSocketResponse, text: str) -> None:
    """Send an acknowledgement; one that cannot be sent is asked for again by Slack."""
    try:
        await socket.send_str(text)
    except (ConnectionError, aiohttp.ClientError) as error:
        raise LinkClosedError("the connection broke before the acknowledgement") from error
