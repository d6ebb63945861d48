"""Asking a program whether it is ready, without any HTTP library."""

import asyncio
import contextlib
from pathlib import Path

ASK_TIMEOUT_S = 1.0


async def accepts(port: int) -> bool:
    """Return whether somebody listens on a port of 127.0.0.1."""
    try:
        async with asyncio.timeout(ASK_TIMEOUT_S):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def answers_ready(port: int) -> bool:
    """Return whether `/readyz` on a port of 127.0.0.1 answers 200."""
    try:
        async with asyncio.timeout(ASK_TIMEOUT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                host = f"127.0.0.1:{port}"
                writer.write(
                    f"GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
                )
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return status.split()[1:2] == [b"200"]


async def exists(path: Path) -> bool:
    """Return whether a file is there, by which a program says that it is ready."""
    return path.exists()  # noqa: ASYNC240 - of a local file, and the question itself
