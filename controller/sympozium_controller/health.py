"""`/livez` and `/readyz`, as the kubelet asks for them."""

import asyncio
from collections.abc import Callable

from aiohttp import web

from sympozium.runtime.health import listen

SHUTDOWN_S = 1.0


async def serve_health(
    stop: asyncio.Event, *, port: int, host: str = "", is_ready: Callable[[], bool]
) -> None:
    """Answer until *stop* is set, on all addresses unless a *host* is named.

    Ready is 200 only while *is_ready* says so.
    """

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_: web.Request) -> web.Response:
        ready = is_ready()
        return web.Response(text="ok" if ready else "not ready", status=200 if ready else 503)

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        await listen(runner, host, port)
        await stop.wait()
    finally:
        await runner.cleanup()
