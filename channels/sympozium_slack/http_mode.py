"""The Events API over HTTP: only what Slack signed, once, and answered after it is stored."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.runtime.listening import serve
from sympozium_slack.events import Callback, UnreadableError, read
from sympozium_slack.inbound import Inbound
from sympozium_slack.signature import Signatures

PATH = "/slack/events"
MAX_BODY_BYTES = 1024 * 1024
READ_TIMEOUT_S = 5.0
STORE_TIMEOUT_S = 2.7
"""Slack waits for 3 s, and sends an event that was not answered again."""

MAX_FIELDS = 64
MAX_REQUESTS_AT_ONCE = 256
MAX_HEADERS = 64
MAX_HEADER_BYTES = 8190
IDLE_TIMEOUT_S = 30.0
SHUTDOWN_TIMEOUT_S = 2.0

log = logging.getLogger(__name__)
_protocol_log = logging.getLogger(f"{__name__}.protocol")
_protocol_log.setLevel(logging.CRITICAL)  # what strangers send is not worth a traceback


class HttpMode:
    """Serves Slack's requests on one bound socket."""

    def __init__(
        self, inbound: Inbound, signatures: Signatures, on_life: Callable[[], None]
    ) -> None:
        self._inbound = inbound
        self._signatures = signatures
        self._on_life = on_life
        self._at_once = 0

    async def serve_loop(self, bound: socket.socket, stop: asyncio.Event) -> None:
        """Answer requests until *stop* is set; then finish what has begun."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post(PATH, self._answer)
        await serve(
            app,
            bound,
            stop,
            auto_decompress=False,
            keepalive_timeout=IDLE_TIMEOUT_S,
            logger=_protocol_log,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
            max_line_size=MAX_HEADER_BYTES,
            shutdown_timeout=SHUTDOWN_TIMEOUT_S,
        )

    async def _answer(self, request: web.Request) -> web.Response:
        if self._at_once >= MAX_REQUESTS_AT_ONCE:
            return _busy()
        self._at_once += 1
        try:
            return await self._checked(request)
        finally:
            self._at_once -= 1

    async def _checked(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                body = await request.read()
        except TimeoutError:
            return web.Response(status=408)
        timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
        signature = request.headers.get("X-Slack-Signature", "")
        if not self._signatures.accepts(body, timestamp, signature):
            return web.Response(status=401)
        self._on_life()
        taken = False
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                answer = await self._take(request.content_type, body)
            taken = True
        except (TransientError, PermanentError, TimeoutError) as error:
            log.warning("request not taken", extra={"action": "refuse", "cause": str(error)})
            return _busy()
        finally:
            if not taken:
                self._signatures.forget(signature)
        return web.json_response(answer) if answer is not None else web.Response()

    async def _take(self, content_type: str, body: bytes) -> dict[str, Any] | None:
        if content_type == "application/x-www-form-urlencoded":
            return await self._take_form(body)
        challenge = _challenge(body)
        if challenge:
            return {"challenge": challenge}
        await self._inbound.take_event(body)
        return None

    async def _take_form(self, body: bytes) -> dict[str, Any] | None:
        try:
            fields = parse_qs(body.decode(), max_num_fields=MAX_FIELDS, keep_blank_values=True)
        except ValueError:
            fields = {}
        named = {name: values[0] for name, values in fields.items()}
        if "ssl_check" in named:  # Slack looks whether the address of a command answers
            return None
        if "payload" in named:
            return await self._inbound.take_interaction(named["payload"].encode())
        await self._inbound.take_command(named)
        return None


def _challenge(body: bytes) -> str:
    """Return what Slack asks to be given back when the address is entered; empty: it does not."""
    try:
        callback = read(body, Callback)
    except UnreadableError:
        return ""
    return (callback.challenge or "") if callback.type == "url_verification" else ""


def _busy() -> web.Response:
    return web.Response(status=503, headers={"Retry-After": "5"})
