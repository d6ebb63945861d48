"""Telling the kubelet how a program is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.runtime.listening import close_idle

CHECK_TIMEOUT_S = 2.0
LOOPBACK = "127.0.0.1"
NO_ANSWER = "something that it needs does not answer"

Check = Callable[[], Awaitable[str]]
"""Returns what is missing, for an operator; empty when nothing is."""


class Health:
    """`/livez` while the process turns its loop, `/readyz` while it can really work, `/metrics`."""

    def __init__(self) -> None:
        self._checks: list[Check] = []
        self._metrics: list[Callable[[], str]] = []
        self._is_started = False

    def watch(self, *checks: Check) -> None:
        """Be ready from now on when every check says that nothing is missing."""
        self._checks = list(checks)
        self._is_started = True

    def export(self, *metrics: Callable[[], str]) -> None:
        """Have `/metrics` say what each of *metrics* returns, in Prometheus' text form."""
        self._metrics = list(metrics)

    async def missing(self) -> str:
        """Return what is missing before the program can work."""
        if not self._is_started:
            return "it is starting"
        for check in self._checks:
            try:
                async with asyncio.timeout(CHECK_TIMEOUT_S):
                    missing = await check()
            except (TransientError, TimeoutError):
                missing = NO_ANSWER
            if missing:
                return missing
        return ""

    @asynccontextmanager
    async def served(self, port: int, host: str = "") -> AsyncIterator[int]:
        """Serve the paths while the block lasts; yield the port (0 asks for a free one).

        They are served on all addresses, unless a *host* is named.

        Raises:
            PermanentError: The port is taken.
        """
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._export)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await listen(runner, host, port)
            yield int(runner.addresses[0][1])
        finally:
            if runner.server is not None:
                close_idle(runner.server)
            await runner.cleanup()

    async def _livez(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        missing = await self.missing()
        if missing:
            return web.json_response({"status": "not ready", "reason": missing}, status=503)
        return web.json_response({"status": "ready"})

    async def _export(self, _request: web.Request) -> web.Response:
        return web.Response(text="".join(as_text() for as_text in self._metrics))


async def listen(runner: web.AppRunner, host: str, port: int) -> None:
    """Serve on *port* of *host*, or of all addresses.

    Replicas that share a machine's network have each an address of the loopback. Whoever
    comes first of them answers on the usual one as well, where people look.

    Raises:
        PermanentError: The port is taken.
    """
    try:
        await web.TCPSite(runner, host or "0.0.0.0", port).start()
    except OSError as error:
        raise PermanentError(
            f"cannot listen on port {port} for the kubelet: {error.strerror}; "
            "set SYMPOZIUM_HEALTH_PORT to a free one"
        ) from None
    if host.startswith("127.") and host != LOOPBACK:
        with contextlib.suppress(OSError):
            await web.TCPSite(runner, LOOPBACK, port).start()
