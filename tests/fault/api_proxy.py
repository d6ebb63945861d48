"""An HTTP proxy in front of the API server that answers wrongly, late or not at all, on demand."""

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import aiohttp
from aiohttp import web

from sympozium_local.system.home import Home, read_json

HANG_S = 20.0
"""Longer than our clients wait for an answer."""

RETRY_AFTER_S = 1
CONNECT_TIMEOUT_S = 5.0
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
READS = frozenset({"GET"})
_OF_ONE_HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "host", "content-length"})


class Wrong(StrEnum):
    """What happens to a request."""

    BUSY = "429"
    BROKEN = "500"
    HANG = "hang"
    """Nothing is done, and no answer comes."""
    LOST = "lost"
    """It is done; the connection breaks before the answer."""


@dataclass(frozen=True)
class Rule:
    """What happens to which share of which requests."""

    wrong: Wrong
    rate: float
    methods: Collection[str]


class ApiProxy:
    """Passes requests on, watches too. Made by `api_proxy`."""

    def __init__(self, target: str, session: aiohttp.ClientSession, seed: str) -> None:
        self._target = target
        self._session = session
        self._chance = random.Random(seed)
        self.rule: Rule | None = None
        self.port = 0
        self.wronged = 0
        """Requests to which a rule has happened."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer as the API server does, or as the rule says."""
        match self._wrong(request.method):
            case Wrong.BUSY:
                return _status(429, {"Retry-After": str(RETRY_AFTER_S)})
            case Wrong.BROKEN:
                return _status(500, {})
            case Wrong.HANG:
                await asyncio.sleep(HANG_S)
                return _abort(request)
            case Wrong.LOST:
                async with self._upstream(request) as answer:
                    await answer.read()
                return _abort(request)
            case None:
                return await self._pass_on(request)

    def _wrong(self, method: str) -> Wrong | None:
        rule = self.rule
        if rule is None or method not in rule.methods or self._chance.random() >= rule.rate:
            return None
        self.wronged += 1
        return rule.wrong

    @asynccontextmanager
    async def _upstream(self, request: web.BaseRequest) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {n: v for n, v in request.headers.items() if n.lower() not in _OF_ONE_HOP}
        body = await request.read()
        url = f"{self._target}{request.raw_path}"
        async with self._session.request(
            request.method, url, headers=headers, data=body or None
        ) as answer:
            yield answer

    async def _pass_on(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            async with self._upstream(request) as answer:
                headers = {n: v for n, v in answer.headers.items() if n.lower() not in _OF_ONE_HOP}
                passed = web.StreamResponse(status=answer.status, headers=headers)
                await passed.prepare(request)
                async for piece in answer.content.iter_any():
                    await passed.write(piece)
                await passed.write_eof()
                return passed
        except (aiohttp.ClientError, OSError):  # the server broke off: so do we
            return _abort(request)


def _status(code: int, headers: dict[str, str]) -> web.Response:
    reason = {429: "TooManyRequests", 500: "InternalError"}[code]
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "it was told to fail",
        "reason": reason,
        "code": code,
    }
    text = json.dumps(body)
    return web.Response(status=code, headers=headers, text=text, content_type="application/json")


def _abort(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


@asynccontextmanager
async def api_proxy(home: Home, *, seed: str) -> AsyncIterator[ApiProxy]:
    """Yield a proxy in front of the API server of *home*, with that server's certificate."""
    keys = home.apiserver / "pki"
    target = f"https://127.0.0.1:{read_json(home.ports)['api']}"
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S)
    connector = aiohttp.TCPConnector(limit=0, ssl=_trusting(keys / "ca.crt"))
    async with aiohttp.ClientSession(
        timeout=timeout, connector=connector, auto_decompress=False
    ) as session:
        proxy = ApiProxy(target, session, seed)
        server = web.Server(proxy.handle, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(keys / "serving.crt", keys / "serving.key")
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
            proxy.port = runner.addresses[0][1]
            yield proxy
        finally:
            await runner.cleanup()


def _trusting(ca_file: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file))
