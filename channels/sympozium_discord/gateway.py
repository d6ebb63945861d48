"""One connection to Discord's gateway: begin or resume a session, and read what it dispatches.

The library speaks the protocol (compression, heartbeats, IDENTIFY, RESUME). It is not
left to hand events to its client: there they would count as received before anybody
has stored them, and one that it cannot parse would end everything.
"""

import asyncio
import logging
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import WSCloseCode
from typing_extensions import override
from yarl import URL

from sympozium.contract.errors import TransientError
from sympozium_discord.inflating import MAX_FRAME_BYTES, FrameTooLargeError, Inflater
from sympozium_discord.library import (
    ConnectionClosed,
    DiscordWebSocket,
    Intents,
    ReconnectWebSocket,
)

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 15.0
READY_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 1.0
HEARTBEATS_MISSED = 1.25
"""An answer to a heartbeat is overdue after so many of its intervals, and `GRACE_S`."""

GRACE_S = 2.0
RESUMABLE = 4000
"""Close code after which a session can be resumed; 1000 and 1001 end it.

Source: https://docs.discord.com/developers/events/gateway#initiating-a-disconnect
"""

INTENTS = Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=True)


@dataclass(frozen=True)
class Session:
    """What resumes a session, in this process or the next one.

    Attributes:
        sequence: The last event that was dealt with; those after it come again.
        url: Where the session lives.
    """

    id: str
    sequence: int
    url: str


@dataclass(frozen=True)
class Dispatch:
    """One event as it came."""

    name: str
    data: Any
    sequence: int


class ConnectionLostError(TransientError):
    """The connection is over; another one can go on.

    Attributes:
        can_resume: The session lives on.
    """

    def __init__(self, text: str, *, can_resume: bool = True) -> None:
        super().__init__(text)
        self.can_resume = can_resume


class GatewayRefusedError(Exception):
    """The gateway closed the connection with a code that says not to come back as we are.

    Attributes:
        code: Discord's close code.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"the gateway closed with code {code}")
        self.code = code


class UnreadableFrameError(Exception):
    """A frame that is not JSON, not of the gateway's form, or too large.

    Attributes:
        frame: As it came, decompressed; the beginning of one that is too large.
    """

    def __init__(self, frame: str, why: str = "a frame that nobody can read") -> None:
        super().__init__(why)
        self.frame = frame


class _Handlers(dict[str, Callable[[Any], None]]):
    """Answers every event name, so that the library hands over every event."""

    def __init__(self, hand_over: Callable[[str, Any], None]) -> None:
        super().__init__()
        self._hand_over = hand_over

    def __missing__(self, name: str) -> Callable[[Any], None]:
        return lambda data: self._hand_over(name, data)


class _Socket(DiscordWebSocket):
    """The library's socket, without a client behind it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, address: URL, token: str) -> None:
        super().__init__(socket, loop=asyncio.get_running_loop())
        self.gateway = address
        self.token = token
        self.shard_id = None
        self.shard_count = None
        self.dispatched: deque[Dispatch] = deque()
        self.last_frame = ""
        self._max_heartbeat_timeout = 60.0
        self._decompressor = Inflater()
        self._discord_parsers = _Handlers(self._take)

    @override
    async def identify(self) -> None:
        """Begin a session."""
        properties = {"os": "linux", "browser": "sympozium", "device": "sympozium"}
        intents = INTENTS.value
        identity = {"token": self.token, "properties": properties, "intents": intents}
        await self.send_as_json({"op": self.IDENTIFY, "d": identity})

    @override
    def log_receive(self, frame: Any, /) -> None:
        self.last_frame = str(frame)

    def expect_heartbeats(self) -> None:
        """Take a gateway that leaves heartbeats unanswered to be gone. Called after its hello."""
        if self._keep_alive is None or self._keep_alive.interval is None:
            raise ConnectionLostError("cannot use the gateway: its first word was not a hello")
        self._max_heartbeat_timeout = self._keep_alive.interval * HEARTBEATS_MISSED + GRACE_S

    @property
    def is_overrun(self) -> bool:
        """Whether the connection ended because of a frame that is too large as it is sent."""
        return self.socket.close_code == WSCloseCode.MESSAGE_TOO_BIG

    def _take(self, name: object, data: Any) -> None:
        sequence: object = self.sequence or 0
        if not (isinstance(name, str) and isinstance(sequence, int) and sequence >= 0):
            raise ValueError("cannot read an event: it has no name, or no place in its session")
        self.dispatched.append(Dispatch(name, data, sequence))


class Gateway:
    """An open connection. Made by `connected`."""

    def __init__(self, socket: _Socket, session: Session | None) -> None:
        self._socket = socket
        self._dealt_with = session.sequence if session else 0

    @property
    def session_id(self) -> str:
        """The session's id; empty before READY."""
        return self._socket.session_id or ""

    async def next(self) -> list[Dispatch]:
        """Return what came, which may be nothing but a sign of life.

        Raises:
            ConnectionLostError: The connection is over.
            GatewayRefusedError: It is, and a person must act.
            UnreadableFrameError: What came is no event; the connection goes on.
        """
        try:
            await self._socket.poll_event()
        except ReconnectWebSocket as error:
            can_resume = error.resume and not self._socket.is_overrun  # it would come again
            raise ConnectionLostError("the gateway ended", can_resume=can_resume) from None
        except ConnectionClosed as error:
            raise GatewayRefusedError(error.code) from None
        except zlib.error:
            raise ConnectionLostError("the gateway's compression broke") from None
        except FrameTooLargeError as error:
            raise UnreadableFrameError(error.beginning, str(error)) from None
        except (aiohttp.ClientError, OSError, TimeoutError, RuntimeError) as error:
            raise ConnectionLostError(f"the gateway ended: {type(error).__name__}") from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if isinstance(error, UnicodeDecodeError):
                raise ConnectionLostError("the gateway's compression broke") from None
            raise UnreadableFrameError(self._socket.last_frame) from None
        finally:
            self._socket.sequence = self._dealt_with  # a heartbeat must not claim more
            self._socket.last_frame = ""
        came = list(self._socket.dispatched)
        self._socket.dispatched.clear()
        return came

    def dealt_with(self, sequence: int) -> None:
        """Note that an event is stored, or not for us: heartbeats may say so."""
        self._dealt_with = max(self._dealt_with, sequence)
        self._socket.sequence = self._dealt_with

    async def begin(self, session: Session | None) -> None:
        """Say who we are and what we have; the answer is among the next events."""
        if session is None:
            await self._socket.identify()
        else:
            self._socket.session_id = session.id
            self._socket.sequence = session.sequence
            await self._socket.resume()


@asynccontextmanager
async def connected(
    http: aiohttp.ClientSession, address: URL, token: str, session: Session | None
) -> AsyncIterator[Gateway]:
    """Yield a connection that has begun or resumed *session*; it stays resumable afterwards.

    Raises:
        ConnectionLostError: There is no gateway there, or it says nothing.
        GatewayRefusedError: It does not want us.
    """
    socket = _Socket(await _open(http, address), address, token)
    gateway = Gateway(socket, session)
    try:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await gateway.next()
                socket.expect_heartbeats()
                await gateway.begin(session)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ConnectionLostError(f"the gateway is silent: {type(error).__name__}") from None
        yield gateway
    finally:
        await _close(socket)


async def _open(http: aiohttp.ClientSession, address: URL) -> aiohttp.ClientWebSocketResponse:
    url = address.with_query(v="10", encoding="json", compress="zlib-stream")
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await http.ws_connect(
                url,
                autoclose=False,
                max_msg_size=MAX_FRAME_BYTES,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
            )
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise ConnectionLostError(
            f"cannot reach the gateway at {address.host!r}: {type(error).__name__}"
        ) from None


async def _close(socket: _Socket) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await socket.close(RESUMABLE)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        log.debug("gateway did not close", extra={"action": "drop", "cause": type(error).__name__})
