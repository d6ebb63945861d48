"""Requests that are wrong, too large, too slow or too many: refused in one form, and bounded."""

import asyncio
import json
from contextlib import suppress

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium_web.inbound import read_posted
from sympozium_web.refusals import RequestRefusedError
from tests.fixtures.memory import resident_bytes
from tests.fixtures.sockets import bare_connection
from tests.web.parts import WebProgram, error_of

JSON = {"Content-Type": "application/json"}
MIB = 1024 * 1024


def refusal_or_text(body: bytes) -> int | str:
    """Return the text in a body, or the status with which it is refused."""
    try:
        return read_posted(body).text
    except RequestRefusedError as error:
        return error.status


@pytest.mark.parametrize(
    ("body", "expected", "code"),
    [
        (b"", 400, "bad_json"),
        (b"{", 400, "bad_json"),
        (b"[]", 400, "bad_json"),
        (b'"text"', 400, "bad_json"),
        (b"\xff\xfe{}", 400, "bad_json"),
        (b'{"text": NaN}', 400, "bad_json"),
        (b'{"text": "x", "id": Infinity}', 400, "bad_json"),
        (b'{"text": "a", "text": "b"}', 400, "bad_json"),
        (b'{"text": "\\ud800"}', 400, "bad_json"),
        (b'{"\\udfff": 1}', 400, "bad_json"),
        (b"[" * 100_000, 400, "bad_json"),
        (b'{"text":' * 20_000 + b"1" + b"}" * 20_000, 400, "bad_json"),
        (b'{"text": ' + b"9" * 100_000 + b"}", 400, "bad_json"),
        (b"{}", 400, "no_text"),
        (b'{"text": null}', 400, "no_text"),
        (b'{"text": 1}', 400, "no_text"),
        (b'{"text": ["a"]}', 400, "no_text"),
        (b'{"text": ""}', 400, "empty_text"),
        (b'{"text": " \\n\\t\\u00a0"}', 400, "empty_text"),
        (b'{"text": "a\\u0000b"}', 400, "bad_text"),
        (b'{"text": "x", "user": "root"}', 400, "unknown_field"),
        (b'{"text": "x", "id": ""}', 400, "bad_id"),
        (b'{"text": "x", "id": 7}', 400, "bad_id"),
        (b'{"text": "x", "id": "a:b"}', 400, "bad_id"),
        (b'{"text": "x", "id": "a\\r\\nb"}', 400, "bad_id"),
        (b'{"text": "x", "id": "' + b"a" * 65 + b'"}', 400, "bad_id"),
        (b'{"text": "' + b"a" * 65537 + b'"}', 413, "text_too_long"),
        ('{"text": "' + "\u00e4" * 32769 + '"}', 413, "text_too_long"),
        (b'{"text": "' + b"a" * 1_000_000 + b'"}', 413, "text_too_long"),
    ],
)
async def test_a_wrong_body_is_refused_with_its_reason(
    http: aiohttp.ClientSession, web: WebProgram, body: bytes | str, expected: int, code: str
) -> None:
    url = f"{web.url}/api/conversations/c/messages"
    async with http.post(url, data=body, headers=JSON) as answer:
        assert answer.status == expected
        assert error_of(await answer.text())["code"] == code


@given(body=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    assert refusal_or_text(body) in {400, 413}


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_any_json_is_read_or_refused(value: object) -> None:
    read = refusal_or_text(json.dumps(value).encode())
    assert isinstance(read, int) or (isinstance(value, dict) and read == value["text"])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_what_is_not_said_to_be_json_is_not_read(
    http: aiohttp.ClientSession, web: WebProgram, headers: dict[str, str]
) -> None:
    url = f"{web.url}/api/conversations/c/messages"
    async with http.post(url, data=b'{"text": "x"}', headers=headers) as answer:
        assert answer.status == 415
        assert error_of(await answer.text())["code"] == "not_json"


@pytest.mark.parametrize(
    ("method", "path", "expected", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/static/../settings.py", 404, "not_found"),
        ("GET", "/static/%2e%2e%2fsettings.py", 404, "not_found"),
        ("GET", "/api/conversations/c", 404, "not_found"),
        ("DELETE", "/api/conversations/c/messages", 405, "method_not_allowed"),
        ("OPTIONS", "/api/conversations/c/messages", 405, "method_not_allowed"),
        ("POST", "/api/conversations/c/events", 405, "method_not_allowed"),
        ("POST", "/", 405, "method_not_allowed"),
        ("GET", "/api/conversations/a%20b/messages", 400, "bad_conversation"),
        ("GET", "/api/conversations/a%2Fb/messages", 400, "bad_conversation"),
        ("GET", "/api/conversations/.hidden/events", 400, "bad_conversation"),
        ("POST", f"/api/conversations/{'c' * 65}/messages", 400, "bad_conversation"),
    ],
)
async def test_wrong_paths_and_methods_are_refused_in_json(
    http: aiohttp.ClientSession,
    web: WebProgram,
    method: str,
    path: str,
    expected: int,
    code: str,
) -> None:
    async with http.request(method, f"{web.url}{path}") as answer:
        assert answer.status == expected
        assert error_of(await answer.text())["code"] == code
        assert ("Allow" in answer.headers) == (expected == 405)


async def exchange(web: WebProgram, *chunks: bytes) -> bytes:
    """Send raw bytes and return all that comes back until the server closes."""
    async with bare_connection(web.port) as (reader, writer):
        try:
            for chunk in chunks:
                writer.write(chunk)
            await writer.drain()
            async with asyncio.timeout(10):
                return await reader.read()
        except ConnectionError:
            return b""


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 10_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nlong: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not http at all\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ],
)
async def test_what_is_beyond_http_is_refused_in_json(web: WebProgram, head: bytes) -> None:
    answer = await exchange(web, head)
    assert answer.startswith(b"HTTP/1.") or answer == b""  # the rest of it may meet a closed door
    if answer:
        assert b" 400 " in answer.split(b"\r\n", 1)[0]
        assert error_of(answer.partition(b"\r\n\r\n")[2].decode())["code"] == "bad_request"


async def test_a_body_of_a_hundred_megabytes_costs_no_memory(web: WebProgram) -> None:
    before = resident_bytes(web.pid)
    head = (
        f"POST /api/conversations/c/messages HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\n"
        "Content-Type: application/json\r\nContent-Length: 104857600\r\n\r\n"
    ).encode()
    answer = b""
    async with bare_connection(web.port) as (reader, writer):
        writer.write(head)
        with suppress(ConnectionError):
            for _ in range(100):
                writer.write(b"a" * 1_048_576)
                await writer.drain()
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                answer = await reader.read(65536)
    assert answer == b"" or b" 413 " in answer.split(b"\r\n", 1)[0]
    assert resident_bytes(web.pid) - before < 15 * MIB


async def test_too_many_streams_are_refused_and_the_rest_goes_on(
    http: aiohttp.ClientSession, web: WebProgram
) -> None:
    limit = 256
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=15)
    url = f"{web.url}/api/conversations/c/events"
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as crowd:
        answers = []
        for _ in range(limit + 40):
            answer = await crowd.get(url)
            answers.append(answer)
            if answer.status != 200:
                break
        assert answers[-1].status == 503
        assert (await answers[-1].json())["error"]["code"] == "too_many_streams"
        async with http.get(f"{web.url}/livez") as alive:
            assert alive.status == 200
        for answer in answers:
            answer.close()
    async with asyncio.timeout(10):
        while not await _is_served(http, url):  # noqa: ASYNC110 - the server has no event
            await asyncio.sleep(0.1)


async def _is_served(http: aiohttp.ClientSession, url: str) -> bool:
    async with http.get(url) as answer:
        return answer.status == 200


async def test_the_program_stays_small(web: WebProgram) -> None:
    assert resident_bytes(web.pid) <= 60 * MIB
