"""A stand-in for a model endpoint: a few words for whoever asks, on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from typing_extensions import override

BETWEEN_WORDS_S = 0.0005
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_CHUNK = b'data: {"choices":[{"delta":{"content":"word "}}]}\n\n'
_LAST = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


class _StandIn(asyncio.Protocol):
    """Answers whatever is asked with some words, one after the other."""

    _transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - it is TCP
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        if not data.endswith(b"}"):  # the end of a request is that of its JSON
            return
        self._transport.write(_HEAD)
        loop = asyncio.get_running_loop()
        for number, piece in enumerate((_CHUNK, _CHUNK, _CHUNK, _LAST, b"")):
            chunk = b"%x\r\n%b\r\n" % (len(piece), piece)
            loop.call_later(number * BETWEEN_WORDS_S, self._transport.write, chunk)


@asynccontextmanager
async def stand_in() -> AsyncIterator[str]:
    """Serve a stand-in for a model while the block lasts; yield its URL, with the `/v1`."""
    server = await asyncio.get_running_loop().create_server(_StandIn, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
