"""A small HTTP/1.1 server side: h11 over asyncio streams, one connection at a time."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import h11

MAX_BODY_BYTES: Final = 24 * 1024 * 1024
"""Room for the pictures of a message, in base64; all the rest has well below a megabyte."""

REQUEST_TIMEOUT_S = 30.0
"""For a request to arrive whole, once it has begun."""

KEEP_ALIVE_S = 300.0
WRITE_TIMEOUT_S = 30.0
_READ_BYTES = 64 * 1024


class ConnectionEndedError(Exception):
    """The other side is gone, or speaks something that is not HTTP."""


class RequestRefusedError(Exception):
    """The request is too much to be read; the connection ends with the answer *status*."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Request:
    """One request, read whole."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class ServerConnection:
    """Reads requests from one connection and writes the responses to them."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)
        self._is_head = False

    async def next_request(self) -> Request | None:
        """Return the next request, or None when the client is done.

        Raises:
            ConnectionEndedError: It broke off in the middle, or took too long.
            RequestRefusedError: The body is larger than `MAX_BODY_BYTES`.
        """
        try:
            async with asyncio.timeout(KEEP_ALIVE_S):
                event = await self._next_event()
            if isinstance(event, h11.ConnectionClosed):
                return None
            if not isinstance(event, h11.Request):
                raise ConnectionEndedError
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return await self._read_request(event)
        except (TimeoutError, OSError, h11.RemoteProtocolError) as error:
            raise ConnectionEndedError from error

    async def start_response(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Send the head of a response; its body follows by `send_piece`."""
        await self._send(h11.Response(status_code=status, headers=list(headers)))

    async def send_piece(self, piece: bytes) -> None:
        """Send a piece of the body at once; to a HEAD request none is sent."""
        if not self._is_head:
            await self._send(h11.Data(data=piece))

    async def end_response(self) -> None:
        """End the response, and be ready for the next request where the client keeps alive."""
        await self._send(h11.EndOfMessage())
        if self._http.our_state is h11.MUST_CLOSE:
            raise ConnectionEndedError
        self._http.start_next_cycle()

    def abort(self) -> None:
        """Break the connection, so that nobody takes half a response for a whole one."""
        self._writer.transport.abort()

    async def _read_request(self, head: h11.Request) -> Request:
        body = bytearray()
        self._is_head = head.method == b"HEAD"
        if self._http.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        while not isinstance(event := await self._next_event(), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise ConnectionEndedError
            body += event.data
            if len(body) > MAX_BODY_BYTES:
                raise RequestRefusedError(413, f"a request has at most {MAX_BODY_BYTES} bytes")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        path = head.target.decode("latin-1").partition("?")[0]
        return Request(head.method.decode("latin-1"), path, headers, bytes(body))

    async def _next_event(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(_READ_BYTES))
        return event  # type: ignore[return-value] # NEED_DATA is excluded above

    async def _send(self, event: h11.Event) -> None:
        try:
            self._writer.write(self._http.send(event) or b"")
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await self._writer.drain()
        except (OSError, TimeoutError, h11.LocalProtocolError) as error:
            raise ConnectionEndedError from error
