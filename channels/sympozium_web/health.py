"""Whether messages can be taken in now."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from aiohttp import web

from sympozium_web.refusals import NOT_READY, RequestRefusedError

FAILURE_COUNTS_FOR_S = 10.0
"""A message that the bus did not take makes us unready for so long, unless a later one is taken."""


@dataclass
class Health:
    """Follows the inbound path: the connection, and what became of the last message.

    Liveness does not follow it: starting this program anew does not mend a bus.
    """

    connected: Callable[[], bool]
    clock: Callable[[], float] = monotonic
    _failed_at: float | None = field(default=None)

    @property
    def is_connected(self) -> bool:
        """Whether the bus is reached now."""
        return self.connected()

    @property
    def is_ready(self) -> bool:
        """Whether the next message is likely to be stored."""
        failed_lately = (
            self._failed_at is not None and self.clock() - self._failed_at < FAILURE_COUNTS_FOR_S
        )
        return self.is_connected and not failed_lately

    def publish_failed(self) -> None:
        """Note that the bus did not take a message."""
        self._failed_at = self.clock()

    def publish_succeeded(self) -> None:
        """Note that the bus took a message."""
        self._failed_at = None

    def add_routes(self, app: web.Application) -> None:
        """Serve `/livez` and `/readyz`."""
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)

    async def _livez(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        if self.is_ready:
            return web.json_response({"status": "ready"})
        reason = "the bus refuses messages" if self.is_connected else "the bus is away"
        said = f"Messages cannot be taken in now: {reason}."
        raise RequestRefusedError(NOT_READY.saying(message=said))
