"""Every status that the interface can give: one form, one code, one line in the documentation."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp.web import Application

from sympozium.bus.admin import ensure_bus, ensure_consumer
from sympozium.bus.nats import NatsBus, connect
from sympozium.contract.subjects import outbox_consumer
from sympozium_web.audience import Audience
from sympozium_web.connection import HttpServer, bind
from sympozium_web.gate import gate_for
from sympozium_web.health import Health
from sympozium_web.inbound import BODY_TIMEOUT_S, Inbound
from sympozium_web.live_runs import live_runs
from sympozium_web.refusals import REFUSALS
from sympozium_web.routes import build_app, build_health_app
from sympozium_web.stream import EventStream
from sympozium_web.transcript import Transcript
from tests.fixtures.nats_server import NatsServer
from tests.fixtures.sockets import bare_connection
from tests.web.parts import CHANNEL, NAMESPACE, WebProgram, error_of

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d{3}) \| `([a-z_]+)` \| .+ \|$", re.MULTILINE)
MESSAGES = "/api/conversations/c/messages"


def test_the_documentation_lists_every_refusal_and_no_other() -> None:
    listed = ROW.findall((ROOT / "channels/README.md").read_text())
    assert listed == [(str(one.status), one.code) for one in REFUSALS]


def test_every_refusal_is_brought_about_by_a_test() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [one.code for one in REFUSALS if f'"{one.code}"' not in tests] == []


async def refusal_of(port: int, *chunks: bytes) -> tuple[int, str]:
    """Send raw bytes; return the status and the code of the one answer to them."""
    async with bare_connection(port) as (reader, writer):
        for chunk in chunks:
            writer.write(chunk)
        await writer.drain()
        async with asyncio.timeout(15):
            head = await reader.readuntil(b"\r\n\r\n")
            (size,) = re.findall(rb"(?i)^content-length: (\d+)\r$", head, re.MULTILINE)
            body = await reader.readexactly(int(size))
    assert re.search(rb"(?i)^content-type: application/json\r$", head, re.MULTILINE), head
    assert re.search(rb"(?i)^content-security-policy: ", head, re.MULTILINE), head
    return int(head.split(b" ", 2)[1]), error_of(body.decode())["code"]


def post_head(port: int, *headers: str) -> bytes:
    """Return the head of a POST of a message."""
    lines = (
        f"POST {MESSAGES} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/json",
        *headers, "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize("path", [MESSAGES, "/", "/livez", "/nothing"])
async def test_what_nobody_can_expect_here_is_refused_in_the_same_form(
    web: WebProgram, path: str
) -> None:
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\nExpect: a miracle\r\n\r\n"
    assert await refusal_of(web.port, head.encode()) == (417, "expectation_failed")


async def test_a_client_that_waits_for_leave_to_go_on_is_answered_as_any(
    http: aiohttp.ClientSession, web: WebProgram, conversation: str
) -> None:
    url = f"{web.url}/api/conversations/{conversation}/messages"
    async with http.post(url, json={"text": "hello"}, expect100=True) as answer:
        assert answer.status == 202


@pytest.mark.parametrize("body", [b"zz\r\n{}\r\n", b"2\r\n{}{}{}\r\n0\r\n\r\n"])
async def test_a_body_that_is_not_framed_as_it_says_is_no_request(
    web: WebProgram, body: bytes
) -> None:
    head = post_head(web.port, "Transfer-Encoding: chunked")
    assert await refusal_of(web.port, head + body) == (400, "bad_request")


async def test_a_body_without_a_length_is_an_empty_one(web: WebProgram) -> None:
    assert await refusal_of(web.port, post_head(web.port)) == (400, "bad_json")


@asynccontextmanager
async def served(app: Application) -> AsyncIterator[int]:
    """Serve *app* as the program does while the block lasts; yield its port."""
    bound, stop = bind("127.0.0.1", 0), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(HttpServer(app, bound, Audience()).serve_loop(stop))
        port = int(bound.getsockname()[1])
        try:
            while not await _accepts(port):  # noqa: ASYNC110 - it says nothing when it listens
                await asyncio.sleep(0.01)
            yield port
        finally:
            stop.set()


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


@asynccontextmanager
async def channel(
    bus: NatsBus, connected: Callable[[], bool], *, body_timeout_s: float = BODY_TIMEOUT_S
) -> AsyncIterator[int]:
    """Serve a whole channel in this process, its parts as a test wants them; yield its port."""
    audience, health = Audience(), Health(connected)
    inbound = Inbound(bus, NAMESPACE, CHANNEL, audience, health, body_timeout_s=body_timeout_s)
    transcript, gate = Transcript(bus, NAMESPACE, CHANNEL), gate_for(80, ("127.0.0.1",), "")
    async with live_runs(bus, NAMESPACE, audience) as runs:
        stream = EventStream(audience, transcript, runs)
        async with served(build_app(gate, health, inbound, transcript, stream)) as port:
            yield port


async def test_a_body_that_does_not_come_is_waited_for_up_to_a_limit(web_bus: NatsBus) -> None:
    async with channel(web_bus, lambda: True, body_timeout_s=0.05) as port:
        head = post_head(port, "Content-Length: 100")
        assert await refusal_of(port, head, b'{"text": "') == (408, "too_slow")


async def test_a_bug_is_said_to_be_ours(web_bus: NatsBus, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> bool:
        raise ZeroDivisionError

    async with channel(web_bus, broken) as port:
        body = b'{"text": "hello"}'
        head = post_head(port, f"Content-Length: {len(body)}")
        assert await refusal_of(port, head, body) == (500, "internal")
    assert [record.message for record in caplog.records] == ["request failed"]


async def test_who_cannot_take_messages_in_says_so_as_it_says_everything(
    http: aiohttp.ClientSession,
) -> None:
    async with (
        served(build_health_app(Health(lambda: False))) as port,
        http.get(f"http://127.0.0.1:{port}/readyz") as answer,
    ):
        assert (answer.status, int(answer.headers["Retry-After"]) > 0) == (503, True)
        said = error_of(await answer.text())
    assert (said["code"], "the bus is away" in said["message"]) == ("not_ready", True)


async def test_a_channel_that_the_bus_does_not_admit_stores_nothing_and_says_so(
    http: aiohttp.ClientSession, nats_server: NatsServer, own_web: WebProgram
) -> None:
    nats_server.kill()
    nats_server.config = f"""
listen: 127.0.0.1:{nats_server.port}
jetstream {{ store_dir: "{nats_server.directory}" }}
no_auth_user: anybody
authorization {{ users: [
  {{ user: anybody, password: "x", permissions: {{ publish: {{ deny: ["inbox.>"] }} }} }}
] }}
"""
    await nats_server.start()
    async with connect(nats_server.address("prepare")) as bus:
        await ensure_bus(bus.client)
        await ensure_consumer(bus.client, outbox_consumer(NAMESPACE, CHANNEL))
    await asyncio.to_thread(own_web.start)
    async with http.post(f"{own_web.url}{MESSAGES}", json={"text": "hello"}) as answer:
        assert (answer.status, int(answer.headers["Retry-After"]) > 0) == (503, True)
        assert error_of(await answer.text())["code"] == "channel_not_admitted"
