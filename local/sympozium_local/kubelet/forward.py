"""Carrying connections between a container's network and the machine's."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[], Awaitable[Streams]]
"""Opens the connection that an accepted one is joined to."""

_BUFFER_BYTES = 64 * 1024
DIAL_TIMEOUT_S = 10.0


async def dial_machine(port: int) -> Streams:
    """Connect to 127.0.0.1:*port* of the machine.

    Raises:
        OSError: Nothing listens there.
    """
    async with asyncio.timeout(DIAL_TIMEOUT_S):
        return await asyncio.open_connection("127.0.0.1", port, limit=_BUFFER_BYTES)


async def forward(listening: socket.socket, dial: Dial) -> asyncio.Server:
    """Join every connection accepted on *listening* to one that *dial* opens."""

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await dial()
        except (OSError, TimeoutError):
            writer.transport.abort()
            return
        await relay((reader, writer), there)

    return await asyncio.start_server(join, sock=listening, limit=_BUFFER_BYTES)


async def relay(one: Streams, other: Streams) -> None:
    """Carry bytes both ways until both sides have ended; an end is passed on as an end."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(one[0], other[1]))
            group.create_task(_pump(other[0], one[1]))
    except* OSError:
        pass  # one side broke off, so both connections are broken off below
    finally:
        for _, writer in (one, other):
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_BUFFER_BYTES):
        writer.write(data)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()
