"""Telling the kubelet how a channel is: readiness follows the inbound path, liveness does not."""

import asyncio
import socket
from collections.abc import Callable
from time import monotonic

from aiohttp import web

from sympozium.chat.metrics import CLOCK_AHEAD, READY, SILENT, Metrics
from sympozium.runtime import listening
from sympozium.runtime.listening import serve

DEAF_AFTER_S = 60.0
"""A platform that has given no sign of life for so long is taken to be unreachable."""

SHUTDOWN_TIMEOUT_S = 1.0
STARTING = "the platform was not reached yet"


class Health:
    """Follows the inbound path: the bus, and the platform's last sign of life.

    A connected socket is no sign of life; what arrives on it is. Liveness follows
    neither: starting this program anew does not mend a bus or a platform.
    """

    def __init__(
        self,
        bus_is_up: Callable[[], bool],
        *,
        deaf_after_s: float = DEAF_AFTER_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.metrics = Metrics()
        self._bus_is_up = bus_is_up
        self._deaf_after_s = deaf_after_s
        self._clock = clock
        self._heard_at: float | None = None
        self._down = STARTING
        self._reason = "Connecting"
        self._clock_ahead_s = 0.0

    def inbound_is_up(self) -> None:
        """Note a sign of life of the inbound path: a hello, a pong, a poll that was answered."""
        self._heard_at = self._clock()
        self._down = self._reason = ""

    def inbound_is_down(self, cause: str, *, reason: str = "Disconnected") -> None:
        """Note that nothing can come in now.

        Args:
            cause: For an operator, in a few words; no secret.
            reason: One CamelCase word for the Channel's condition.
        """
        self._down, self._reason = cause, reason

    def clock_is_ahead(self, by_s: float) -> None:
        """Note how far the clock of this machine is ahead of the bus'; negative: behind."""
        self._clock_ahead_s = by_s

    @property
    def inbound_problem(self) -> tuple[str, str]:
        """Why nothing can come in, as (reason, cause); two empty texts where nothing is wrong."""
        if self._down:
            return self._reason, self._down
        silent_s = self._silent_s()
        if silent_s > self._deaf_after_s:
            return "Deaf", f"the platform has been silent for {silent_s:.0f} s"
        return "", ""

    @property
    def missing(self) -> str:
        """What is missing before messages can come in; empty where nothing is."""
        if not self._bus_is_up():
            return "the bus is away"
        return self.inbound_problem[1]

    async def serve_loop(self, bound: socket.socket, stop: asyncio.Event) -> None:
        """Answer `/livez`, `/readyz` and `/metrics` on a bound socket until *stop* is set."""
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        await serve(app, bound, stop, shutdown_timeout=SHUTDOWN_TIMEOUT_S)

    def _silent_s(self) -> float:
        return 0.0 if self._heard_at is None else self._clock() - self._heard_at

    async def _livez(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        if missing := self.missing:
            return web.json_response({"status": "not ready", "reason": missing}, status=503)
        return web.json_response({"status": "ready"})

    async def _metrics(self, _request: web.Request) -> web.Response:
        gauges = {
            READY: float(not self.missing),
            SILENT: self._silent_s(),
            CLOCK_AHEAD: self._clock_ahead_s,
        }
        return web.Response(text=self.metrics.as_text(gauges=gauges))


def bind(port: int) -> socket.socket:
    """Take *port* for the health pages of this process.

    Raises:
        PermanentError: Somebody else has it.
    """
    return listening.bind(port, setting="SYMPOZIUM_HEALTH_PORT")
