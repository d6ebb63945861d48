"""Slack's addresses on one port: the Web API, files, and the sockets of Socket Mode."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

from sympozium.testing.channels.driver import Counts, Fault
from tests.platforms.slack.checks import has_markup
from tests.platforms.slack.delivery import Delivery
from tests.platforms.slack.methods import SHOWING, Methods
from tests.platforms.slack.workspace import (
    APP_TOKEN,
    BOT_TOKEN,
    SCOPES,
    SlackError,
    Wire,
    Workspace,
)

ON_THE_WAY_S = 0.5
"""Calls that come so soon after a penalty began were on their way, and could not know of it."""

_FOR_GOOD = {Fault.GONE: "channel_not_found", Fault.REVOKED: "token_revoked"}


@dataclass
class Planned:
    """A fault that calls are to meet.

    Attributes:
        methods: Which calls; those that show something.
    """

    fault: Fault
    times: int
    retry_after_s: float
    methods: frozenset[str] = frozenset(SHOWING)


@dataclass
class SlackServer:
    """The stand-in platform. Made by `slack_server`."""

    workspace: Workspace
    methods: Methods
    delivery: Delivery
    counts: Counts = field(default_factory=Counts)
    calls: Counter[str] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    port: int = 0
    bot_token: str = BOT_TOKEN
    refuses_sockets: str = ""
    granted: set[str] = field(default_factory=lambda: set(SCOPES))
    _planned: list[Planned] = field(default_factory=list)
    _penalties: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def fail(self, planned: Planned) -> None:
        """Have calls meet a fault."""
        self._planned.append(planned)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a call of the Web API."""
        method = request.match_info["method"]
        self.calls[method] += 1
        self.hosts[request.headers.get("Host", "")] += 1
        arguments = await _arguments(request)
        refusal = self._token_refusal(method, request)
        if refusal:
            return _said({"ok": False, "error": refusal})
        if method == "apps.connections.open":
            return self._socket_url()
        if method in SHOWING:
            self.counts.calls += 1
        rest = f"{method} {arguments['channel']}" if method == "chat.postMessage" else method
        now = asyncio.get_running_loop().time()
        begun, until = self._penalties.get(rest, (0.0, 0.0))
        if now < until:
            self.counts.calls_in_penalty += now - begun > ON_THE_WAY_S
            return _busy(until - now)
        fault = self._fault(method, arguments)
        if fault is not None and fault.fault is not Fault.LOST_ANSWER:
            return self._failed(fault, request, rest)
        answer = self._called(method, arguments)
        if fault is not None:
            _reset(request)
        return answer

    def _called(self, method: str, arguments: Wire) -> web.Response:
        try:
            answer = {"ok": True, **self.methods.call(method, arguments)}
        except SlackError as error:
            answer = {"ok": False, "error": error.code, **error.more}
        return web.json_response(answer, headers={"x-oauth-scopes": ",".join(self.granted)})

    def _token_refusal(self, method: str, request: web.Request) -> str:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not token:
            return "not_authed"
        wanted = APP_TOKEN if method == "apps.connections.open" else self.bot_token
        return "" if token == wanted else "invalid_auth"

    def _socket_url(self) -> web.Response:
        if self.refuses_sockets:
            return _said({"ok": False, "error": self.refuses_sockets})
        return _said({"ok": True, "url": "wss://wss-primary.slack.com/link/?ticket=t&app_id=A1"})

    def _fault(self, method: str, arguments: Wire) -> Planned | None:
        for planned in self._planned:
            if method not in planned.methods:
                continue
            if planned.fault is Fault.MARKUP and not has_markup(arguments):
                continue
            planned.times -= 1
            if planned.times == 0:
                self._planned.remove(planned)
            return planned
        return None

    def _failed(self, planned: Planned, request: web.Request, rest: str) -> web.Response:
        if planned.fault is Fault.BUSY:
            now = asyncio.get_running_loop().time()
            self._penalties[rest] = (now, now + planned.retry_after_s)
            return _busy(planned.retry_after_s)
        if planned.fault is Fault.BROKEN:
            return web.Response(status=502, text="<html>bad gateway</html>")
        if planned.fault is Fault.RESET:
            _reset(request)
        if planned.fault is Fault.MARKUP:
            return _said({"ok": False, "error": "invalid_blocks"})
        return _said({"ok": False, "error": _FOR_GOOD.get(planned.fault, "internal_error")})

    async def read_file(self, request: web.Request) -> web.StreamResponse:
        """Hand out a file to who has the token; others see the page to sign in."""
        if request.headers.get("Authorization") != f"Bearer {self.bot_token}":
            return web.Response(text="<html>sign in</html>", content_type="text/html")
        data = self.workspace.bytes.get(request.match_info["file"])
        if data is None:
            return web.Response(status=404)
        return web.Response(body=data, content_type="application/octet-stream")

    async def write_file(self, request: web.Request) -> web.StreamResponse:
        """Take the bytes of a file."""
        self.workspace.bytes[request.match_info["file"]] = await request.read()
        return web.Response(text="OK")

    async def answer_command(self, request: web.Request) -> web.StreamResponse:
        """Take what a command is answered with at its own address."""
        self.delivery.answered.append(await request.json())
        self.workspace.touch()
        return web.Response(text="ok")


async def _arguments(request: web.Request) -> Wire:
    """Return what a method was given: by query, form or JSON, as the libraries have it."""
    given: Wire = dict(request.query)
    body = await request.text()
    if request.content_type == "application/json":
        given |= json.loads(body or "{}")
    else:
        given |= dict(parse_qsl(body))
    return {name: value for name, value in given.items() if value is not None}


def _said(answer: Wire) -> web.Response:
    return web.json_response(answer)


def _busy(retry_after_s: float) -> web.Response:
    return web.json_response(
        {"ok": False, "error": "ratelimited"},
        status=429,
        headers={"Retry-After": str(max(1, round(retry_after_s)))},
    )


def _reset(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()
    raise aiohttp.ClientConnectionError("reset")


@asynccontextmanager
async def slack_server(*, callback_url: str = "") -> AsyncIterator[SlackServer]:
    """Yield the stand-in on a free port.

    Args:
        callback_url: Where events go by HTTP; empty: to the sockets.
    """
    workspace = Workspace()
    async with Delivery(workspace, callback_url).delivering() as delivery:
        server = SlackServer(workspace, Methods(workspace), delivery)
        delivery.counts = server.counts
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/api/{method}", server.answer)
        app.router.add_get("/link/", delivery.link)
        app.router.add_get("/files-pri/{file}", server.read_file)
        app.router.add_post("/upload/v1/{file}", server.write_file)
        app.router.add_post("/commands/{command}", server.answer_command)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.port = runner.addresses[0][1]
        try:
            yield server
        finally:
            await delivery.cut()
            await runner.cleanup()
