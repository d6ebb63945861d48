"""The HTTP side of the demonstration model."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from sympozium.contract.errors import PermanentError
from sympozium_local.demo_model.answers import decide
from sympozium_local.demo_model.script import Behaviour, Script, parse_script
from sympozium_local.demo_model.wire import MODEL, Action, Request, chunks, completion

MAX_BODY_BYTES = 32 * 1024 * 1024
"""More than a bridge passes on: what is too long is to be found out before."""

DRIP_EVERY_S = 0.1
BREAKS = {"hang", "drip", "reset", "truncate"}
"""Faults that come in the middle of a stream."""

_HTML = "<!doctype html><title>Gateway</title><p>This page is no model answer.</p>"
_SCRIPT = web.AppKey("script", Script)
_requests = msgspec.json.Decoder(Request)


@dataclass(frozen=True)
class DemoModel:
    """A running model.

    Attributes:
        url: Base URL with its `/v1`, as OPENAI_BASE_URL takes it.
        script: What it does, and how often it was called; change it at any time.
    """

    port: int
    script: Script

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}/v1"


@asynccontextmanager
async def serve(
    port: int = 0, *, script: Script | None = None, is_scriptable: bool = True
) -> AsyncIterator[DemoModel]:
    """Serve the model on 127.0.0.1 while the block lasts; port 0 takes a free one.

    Args:
        port: Where to listen.
        script: Behaviours to start with.
        is_scriptable: Whether `POST /script` may change them.
    """
    script = script or Script()
    runner = web.AppRunner(
        _application(script, is_scriptable), shutdown_timeout=0.1, handler_cancellation=True
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        yield DemoModel(runner.addresses[0][1], script)
    finally:
        await runner.cleanup()


def _application(script: Script, is_scriptable: bool) -> web.Application:
    application = web.Application(client_max_size=MAX_BODY_BYTES)
    application[_SCRIPT] = script
    application.router.add_get("/v1/models", _models)
    application.router.add_post("/v1/chat/completions", _chat)
    application.router.add_get("/calls", _calls)
    application.router.add_get("/readyz", _ready)
    if is_scriptable:
        application.router.add_post("/script", _replace_script)
    return application


async def _ready(_: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _models(_: web.Request) -> web.Response:
    entry = {"id": MODEL, "object": "model", "created": 0, "owned_by": "sympozium"}
    return web.json_response({"object": "list", "data": [entry]})


async def _calls(http: web.Request) -> web.Response:
    script = http.app[_SCRIPT]
    return web.json_response({"total": script.total, "by_match": dict(script.calls)})


async def _replace_script(http: web.Request) -> web.Response:
    try:
        behaviours = parse_script(await http.text())
    except PermanentError as error:
        return _error(400, str(error))
    http.app[_SCRIPT].replace(*behaviours)
    return web.json_response({"behaviours": len(behaviours)})


async def _chat(http: web.Request) -> web.StreamResponse:
    try:
        request = _requests.decode(await http.read())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _error(400, f"cannot read the request: {error}")
    script = http.app[_SCRIPT]
    behaviour = script.choose(request)
    if behaviour.key and http.headers.get("Authorization") != f"Bearer {behaviour.key}":
        return _error(401, "this is not the key")
    action = behaviour.action(request, decide(request))
    if behaviour.status >= 400:
        return _error(behaviour.status, "scripted error", behaviour.retry_after_s)
    if behaviour.fault == "html":
        return web.Response(text=_HTML, content_type="text/html")
    if behaviour.fault in {"hang", "reset"} and behaviour.after_tokens == 0:
        return await _break_off(http, behaviour, web.Response())
    if request.stream:
        return await _stream(http, request, behaviour, action)
    await asyncio.sleep(behaviour.delay_s)
    if behaviour.fault == "bad_json":
        return web.Response(text='{"choices": [', content_type="application/json")
    answer = completion(request, action, script.total)
    if behaviour.fault == "empty":
        answer["choices"] = []
    return web.json_response(answer)


async def _stream(
    http: web.Request, request: Request, behaviour: Behaviour, action: Action
) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    await response.prepare(http)
    if behaviour.fault == "bad_json":
        await response.write(b'data: {"choices": [{"delta":\n\n')
        return response
    sent = 0
    for chunk in chunks(request, action, http.app[_SCRIPT].total):
        is_token = _is_token(chunk)
        if behaviour.fault == "empty" and is_token:
            continue
        if behaviour.fault in BREAKS and sent >= behaviour.after_tokens:
            return await _break_off(http, behaviour, response)
        if behaviour.delay_s and is_token:
            await asyncio.sleep(behaviour.delay_s)
        await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        sent += is_token
    await response.write(b"data: [DONE]\n\n")
    return response


def _is_token(chunk: dict[str, Any]) -> bool:
    return any(choice["delta"].get("content") for choice in chunk["choices"])


async def _break_off(
    http: web.Request, behaviour: Behaviour, response: web.StreamResponse
) -> web.StreamResponse:
    while behaviour.fault == "drip":
        await response.write(b": still here\n\n")
        await asyncio.sleep(DRIP_EVERY_S)
    if behaviour.fault == "hang":
        await asyncio.Event().wait()  # until the client goes, or the server stops
    if behaviour.fault == "reset" and http.transport is not None:
        http.transport.abort()
    return response


def _error(status: int, message: str, retry_after_s: float | None = None) -> web.Response:
    headers = {} if retry_after_s is None else {"Retry-After": f"{retry_after_s:g}"}
    body = {"error": {"message": message, "type": "demo_model", "code": f"demo_{status}"}}
    return web.json_response(body, status=status, headers=headers)
