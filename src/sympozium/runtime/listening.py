"""Listening for HTTP: taking a port, serving on it, and stopping without waiting for nobody."""

import asyncio
import socket
import sys
from typing import Any

from aiohttp import web

from sympozium.contract.errors import PermanentError


def bind(port: int, *, setting: str, host: str = "", unread_timeout_ms: int = 0) -> socket.socket:
    """Take *port* for this process, on all IPv4 addresses unless a *host* is named.

    Args:
        port: The port.
        setting: The variable by which an operator can choose another one.
        host: Address to listen on, with or without the brackets of an IPv6 one.
        unread_timeout_ms: A connection whose client takes nothing of what was sent for so
            long is closed by the kernel; 0: never.

    Raises:
        PermanentError: Somebody else has it, or *host* is no address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if unread_timeout_ms and sys.platform == "linux":  # accepted connections inherit it
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, unread_timeout_ms)
    try:
        taken.bind((host.strip("[]") or "0.0.0.0", port))
    except OSError as error:
        taken.close()
        place = f"{host}:{port}" if host else f"port {port}"
        raise PermanentError(
            f"cannot listen on {place}: {error.strerror}; stop what listens there, or set {setting}"
        ) from error
    taken.setblocking(False)
    return taken


async def serve(
    app: web.Application, bound: socket.socket, stop: asyncio.Event, **limits: Any
) -> None:
    """Answer requests on *bound* until *stop* is set; then finish what has begun.

    *limits* are those of aiohttp's `AppRunner` and its request handler.
    """
    runner = web.AppRunner(app, access_log=None, **limits)
    await runner.setup()
    try:
        await web.SockSite(runner, bound).start()
        await stop.wait()
    finally:
        if runner.server is not None:
            close_idle(runner.server)
        await runner.cleanup()


def close_idle(server: web.Server) -> None:
    """Have every connection closed as soon as its request is answered, idle ones at once.

    Without this the library waits for each idle connection to the end of its timeout.
    """
    for connection in server.connections:
        connection.close()
