"""The proxy between the agent and a model endpoint that a test plays."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from sympozium_agent.model_proxy.http import MAX_BODY_BYTES
from sympozium_agent.model_proxy.server import MAX_CONCURRENT_CALLS, ModelProxy, serve_model
from sympozium_agent.model_proxy.upstream import Endpoint, open_upstream, prepare
from tests.fixtures.sockets import bare_connection

KEY = "sk-planted-key"
ASK = {"model": "demo", "messages": []}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def endpoint(handle: Handler) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/secret-path/v1"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def proxy_for(url: str, key: str = KEY) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        open_upstream(Endpoint(url, 5.0, key)) as upstream,
        serve_model(ModelProxy(upstream, "demo"), 0) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        yield session


async def echo(request: web.Request) -> web.Response:
    headers = {name.lower(): value for name, value in request.headers.items()}
    body = (await request.read()).decode()
    return web.json_response({"headers": headers, "body": body, "path": request.path})


@pytest.mark.parametrize("key", [KEY, ""])
async def test_the_agents_credential_is_replaced_by_the_key(key: str) -> None:
    async with endpoint(echo) as url, proxy_for(url, key) as session:
        headers = {"Authorization": "Bearer planted-by-the-agent", "Cookie": "a=b", "X-Other": "c"}
        async with session.post("/v1/chat/completions", json=ASK, headers=headers) as answer:
            seen = await answer.json()
    assert seen["headers"].get("authorization") == (f"Bearer {key}" if key else None)
    assert "planted" not in json.dumps(seen).replace(KEY, "")
    assert {"cookie", "x-other"} & set(seen["headers"]) == set()
    assert seen["path"] == "/secret-path/v1/chat/completions"
    assert json.loads(seen["body"]) == ASK


async def test_a_key_that_was_rotated_is_read_again_once(tmp_path: Path) -> None:
    asked: list[str] = []

    async def refuse_old_keys(request: web.Request) -> web.Response:
        key = request.headers["Authorization"].removeprefix("Bearer ")
        asked.append(key)
        return web.json_response({}, status=200 if key == "sk-new" else 401)

    file = tmp_path / "key"
    async with endpoint(refuse_old_keys) as url:
        where = Endpoint(url, 5.0, KEY, file)
        async with (
            open_upstream(where) as upstream,
            serve_model(ModelProxy(upstream, "demo"), 0) as port,
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        ):
            for content, status in ((None, 401), (KEY, 401), ("sk-other", 401), ("sk-new\n", 200)):
                if content is not None:
                    file.write_text(content)
                async with session.post("/v1/chat/completions", json=ASK) as answer:
                    assert answer.status == status
    assert asked == [KEY, KEY, KEY, "sk-other", "sk-other", "sk-new"]


async def test_only_the_runs_model_may_be_asked_for_and_no_name_counts_twice() -> None:
    async with endpoint(echo) as url, proxy_for(url) as session:

        async def ask(body: bytes) -> tuple[int, str]:
            async with session.post("/v1/chat/completions", data=body) as answer:
                return answer.status, await answer.text()

        named = (b'"other"', b'["demo"]', b'"\xff"', b"1e999", b"null")
        for body in (b"{}", *(b'{"model":%s}' % name for name in named)):
            status, text = await ask(body)
            assert (status, json.loads(text)["error"]["code"]) == (403, "model_not_allowed")
        for body in (b"[]", b"nonsense", b""):
            assert (await ask(body))[0] == 400
        status, text = await ask(b'{"model":"other","model":"demo"}')
        assert status == 200
        assert json.loads(text)["body"] == '{"model":"demo"}'


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/chat/completions"),
        ("POST", "/v1/embeddings"),
        ("POST", "/v1/models"),
        ("POST", "/v1/chat/completions/../../admin"),
        ("GET", "/"),
    ],
)
async def test_any_other_path_is_not_there(method: str, path: str) -> None:
    async with endpoint(echo) as url, proxy_for(url) as session:
        async with session.request(method, path, json=ASK) as answer:
            assert answer.status == 404
        async with session.get("/v1/models") as answer:
            assert [model["id"] for model in (await answer.json())["data"]] == ["demo"]


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_an_error_keeps_its_status_and_loses_its_text(status: int) -> None:
    async def fail(_: web.Request) -> web.Response:
        body = {"error": {"message": f"bad key {KEY} at http://internal", "code": "invalid_key"}}
        return web.json_response(body, status=status, headers={"Retry-After": "7"})

    async with (
        endpoint(fail) as url,
        proxy_for(url) as session,
        session.post("/v1/chat/completions", json=ASK) as answer,
    ):
        text = await answer.text()
    assert (answer.status, answer.headers["Retry-After"]) == (status, "7")
    assert json.loads(text)["error"]["code"] == "invalid_key"
    assert [word for word in (KEY, "internal", "secret-path") if word in text] == []


async def test_a_redirect_is_not_followed_and_is_no_answer() -> None:
    async def elsewhere(_: web.Request) -> web.Response:
        raise web.HTTPFound("http://127.0.0.1:9/other")

    async with (
        endpoint(elsewhere) as url,
        proxy_for(url) as session,
        session.post("/v1/chat/completions", json=ASK) as answer,
    ):
        assert answer.status == 502
        assert "127.0.0.1" not in await answer.text()


async def test_every_piece_is_passed_on_before_the_next_comes() -> None:
    may_go_on = asyncio.Event()

    async def slowly(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: first\n\n")
        await may_go_on.wait()
        await response.write(b"data: second\n\n")
        return response

    async with (
        endpoint(slowly) as url,
        proxy_for(url) as session,
        session.post("/v1/chat/completions", json=ASK) as answer,
    ):
        assert answer.content_type == "text/event-stream"
        assert await answer.content.readuntil(b"\n\n") == b"data: first\n\n"
        may_go_on.set()
        assert await answer.content.read() == b"data: second\n\n"


async def test_a_stream_that_breaks_off_breaks_off_for_the_agent_too() -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"data: first\n\n")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with endpoint(broken) as url, proxy_for(url) as session:
        with pytest.raises(aiohttp.ClientError):
            async with session.post("/v1/chat/completions", json=ASK) as answer:
                await answer.read()


async def test_a_body_over_the_limit_is_refused() -> None:
    async with endpoint(echo) as url, proxy_for(url) as session:
        body = io.BytesIO(b"x" * (MAX_BODY_BYTES + 1))
        async with session.post("/v1/chat/completions", data=body) as answer:
            assert answer.status == 413
        async with session.post("/v1/chat/completions", json=ASK) as answer:
            assert answer.status == 200


async def test_more_calls_at_once_than_an_agent_makes_are_refused() -> None:
    may_go_on, waiting = asyncio.Event(), asyncio.Semaphore(0)

    async def wait(_: web.Request) -> web.Response:
        waiting.release()
        await may_go_on.wait()
        return web.json_response({})

    async with endpoint(wait) as url, proxy_for(url) as session:

        async def ask() -> int:
            async with session.post("/v1/chat/completions", json=ASK) as answer:
                return answer.status

        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(ask()) for _ in range(MAX_CONCURRENT_CALLS)]
            for _ in calls:
                await waiting.acquire()
            assert await ask() == 429
            may_go_on.set()
        assert [call.result() for call in calls] == [200] * MAX_CONCURRENT_CALLS


@pytest.mark.parametrize("is_prepared", [False, True])
async def test_a_proxy_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, *, is_prepared: bool
) -> None:
    if is_prepared:
        prepare()
    async with endpoint(echo) as url:
        monkeypatch.setenv("HTTP_PROXY", url.removesuffix("/secret-path/v1"))
        async with (
            proxy_for("http://model.invalid/v1") as session,
            session.post("/v1/chat/completions", json=ASK) as answer,
        ):
            seen = await answer.json()
    assert seen["headers"]["host"] == "model.invalid"


async def test_a_header_that_is_no_text_is_left_out() -> None:
    body = json.dumps(ASK).encode()
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAccept: \xff\r\nContent-Length: %d\r\n"
    )
    async with (
        endpoint(echo) as url,
        open_upstream(Endpoint(url, 5.0)) as upstream,
        serve_model(ModelProxy(upstream, "demo"), 0) as port,
        bare_connection(port) as (reader, writer),
    ):
        writer.write(head % len(body) + b"Connection: close\r\n\r\n" + body)
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"accept": "*/*"' in answer


async def test_a_head_request_is_answered_without_a_body() -> None:
    async with (
        open_upstream(Endpoint("http://127.0.0.1:9/v1", 1.0)) as upstream,
        serve_model(ModelProxy(upstream, "demo"), 0) as port,
        bare_connection(port) as (reader, writer),
        asyncio.timeout(10),
    ):
        for _ in range(2):
            writer.write(b"HEAD /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 404")


async def test_what_is_no_http_ends_the_connection() -> None:
    async with (
        open_upstream(Endpoint("http://127.0.0.1:9/v1", 1.0)) as upstream,
        serve_model(ModelProxy(upstream, "demo"), 0) as port,
        bare_connection(port) as (reader, writer),
        asyncio.timeout(5),
    ):
        writer.write(b"\x16\x03\x01 no http at all\r\n\r\n")
        with suppress(ConnectionError):
            assert await reader.read() == b""
