"""The channel's connection to its platform, which for the web is an HTTP server of its own."""

import asyncio
import logging
import socket
from typing import Any

from aiohttp import web
from typing_extensions import override

from sympozium.runtime import listening
from sympozium_web.audience import Audience
from sympozium_web.page import SECURITY_HEADERS
from sympozium_web.refusals import BAD_REQUEST, EXPECTATION_FAILED, INTERNAL, as_response

MAX_HEADERS = 64
MAX_HEADER_BYTES = 8190
IDLE_TIMEOUT_S = 30.0
"""A connection without a complete request for so long is closed; an event stream is not idle."""

LINGERING_TIMEOUT_S = 3.0
UNREAD_TIMEOUT_MS = 30_000
"""A connection whose client takes nothing of what was sent for so long is closed by the kernel."""

SHUTDOWN_TIMEOUT_S = 2.0
BACKLOG = 256

_EXPECTATION_FAILED = web.HTTPExpectationFailed.status_code
_OUR_FAULT = web.HTTPInternalServerError.status_code

_protocol_log = logging.getLogger(f"{__name__}.protocol")
_protocol_log.setLevel(logging.CRITICAL)  # what strangers send is not worth a traceback

_LIMITS: dict[str, Any] = {
    "access_log": None,
    "auto_decompress": False,
    "keepalive_timeout": IDLE_TIMEOUT_S,
    "lingering_time": LINGERING_TIMEOUT_S,
    "logger": _protocol_log,
    "max_field_size": MAX_HEADER_BYTES,
    "max_headers": MAX_HEADERS,
    "max_line_size": MAX_HEADER_BYTES,
}


def bind(host: str, port: int) -> socket.socket:
    """Take *port* of *host* for this process.

    Raises:
        PermanentError: Somebody else has it, or it is not an address of this machine.
    """
    return listening.bind(
        port, setting="SYMPOZIUM_WEB_PORT", host=host, unread_timeout_ms=UNREAD_TIMEOUT_MS
    )


class HttpServer:
    """Serves one application on one bound socket."""

    def __init__(self, app: web.Application, bound: socket.socket, audience: Audience) -> None:
        self._app = app
        self._bound = bound
        self._audience = audience

    async def serve_loop(self, stop: asyncio.Event) -> None:
        """Answer requests until *stop* is set; then end the streams and finish what has begun."""
        runner = web.AppRunner(self._app, shutdown_timeout=SHUTDOWN_TIMEOUT_S, **_LIMITS)
        await runner.setup()
        loop = asyncio.get_running_loop()
        handlers = runner.server
        assert handlers is not None  # noqa: S101 - what setup() promises

        def accept() -> web.RequestHandler:
            return _RequestHandler(handlers, loop=loop, **_LIMITS)

        server = await loop.create_server(accept, sock=self._bound, backlog=BACKLOG)
        try:
            await stop.wait()
        finally:
            server.close()
            self._audience.close()
            listening.close_idle(handlers)
            await handlers.shutdown(SHUTDOWN_TIMEOUT_S)
            await runner.cleanup()


class _RequestHandler(web.RequestHandler):
    """aiohttp's, except that it refuses unreadable requests in our own words."""

    __slots__ = ()

    @override
    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; one that aiohttp words itself, ahead of our middlewares, in our words."""
        if isinstance(resp, web.HTTPException):
            resp = self.handle_error(request, resp.status)
        return await super().finish_response(request, resp, start_time)

    @override
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to what is not an HTTP request, or one beyond the limits."""
        if request.writer.output_size > 0:
            raise ConnectionError("cannot refuse a request: its answer has begun")
        refusal = EXPECTATION_FAILED if status == _EXPECTATION_FAILED else BAD_REQUEST
        response = as_response(INTERNAL if status >= _OUR_FAULT else refusal)
        response.headers.update(SECURITY_HEADERS)
        response.force_close()
        return response
