"""A webhook server for cases: it answers what it is told to, and remembers what it was asked.

It listens on the loopback, so a real API server reaches it only where both share a network: cases
with webhooks are recorded within that of the cluster.
"""

import base64
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from sympozium_local.apiserver import pki
from tests.differential.case import Object

Decide = Callable[[Object], Object]


def allow(_request: Object) -> Object:
    """Allow whatever is asked."""
    return {"allowed": True}


@dataclass
class Judge:
    """One webhook, as configurations lead to it."""

    client_config: Object
    decide: Decide = allow
    asked: list[Object] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one review."""
        review = await request.json()
        asked = review["request"]
        self.asked.append(asked)
        response = {"uid": asked["uid"], **self.decide(asked)}
        return web.json_response({**review, "request": None, "response": response})


@asynccontextmanager
async def judging() -> AsyncIterator[Judge]:
    """Serve a webhook on the loopback."""
    with tempfile.TemporaryDirectory() as folder:
        keys = pki.load(Path(folder) / "webhook")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(keys.cert_file, keys.key_file)
        bundle = base64.b64encode(keys.ca_file.read_bytes()).decode()
    judge = Judge({})
    app = web.Application()
    app.router.add_post("/", judge.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        url = f"https://127.0.0.1:{runner.addresses[0][1]}/"
        judge.client_config = {"url": url, "caBundle": bundle}
        yield judge
    finally:
        await runner.cleanup()
