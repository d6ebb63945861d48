"""Who may call the webhook, and with what: one program for all tests."""

from contextlib import AsyncExitStack

import pytest

from sympozium.testing.channels.stage import Stage
from sympozium_telegram.settings import hidden_path
from sympozium_telegram.webhook import TOO_LONG
from tests.fixtures.sockets import bare_connection
from tests.telegram.hooked import SECRET, called, driver_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]

HEADER = "X-Telegram-Bot-Api-Secret-Token"


async def test_what_telegram_brings_is_heard_and_then_taken_from_it(shared_hooked: Stage) -> None:
    where = shared_hooked.somewhere(direct=True)
    said, heard = await shared_hooked.asks("ada", where, "hello")
    assert heard.text == "hello"
    await shared_hooked.asks("ada", where, "barrier")
    assert said in driver_of(shared_hooked).counts.accepted
    assert set(driver_of(shared_hooked).server.webhook_answers) == {200}


async def test_an_answer_is_seen_as_with_polling(shared_hooked: Stage) -> None:
    where = shared_hooked.somewhere(direct=True)
    _, heard = await shared_hooked.asks("ada", where)
    await shared_hooked.backstage.finish(
        heard, await shared_hooked.backstage.accept(heard), "two pods"
    )
    await shared_hooked.sees_once(where, "two pods")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (hidden_path(SECRET), {}),
        (hidden_path(SECRET), {HEADER: ""}),
        (hidden_path(SECRET), {HEADER: "wrong"}),
        (hidden_path(SECRET), {HEADER: SECRET + "x"}),
        (hidden_path(SECRET), {HEADER: SECRET[:-1]}),
        (hidden_path("another secret"), {HEADER: SECRET}),
        ("", {HEADER: SECRET}),
    ],
)
async def test_who_does_not_know_the_secret_is_refused(
    shared_hooked: Stage, path: str, headers: dict[str, str]
) -> None:
    address = f"http://127.0.0.1:{driver_of(shared_hooked).port}/bots/{path}"
    assert await called(address, headers) == (401, "")


async def test_only_a_post_of_bearable_size_is_read(shared_hooked: Stage) -> None:
    address, stage = driver_of(shared_hooked).address, shared_hooked.backstage
    before = await stage.dead_letters()
    assert await called(address, {HEADER: SECRET}, b"x" * 2_000_000) == (200, "")
    assert (await stage.reasons())[before:] == [TOO_LONG]
    assert (await called(address, {HEADER: SECRET}, method="GET"))[0] == 405
    assert (await called(address, {HEADER: "no"}, b"x" * 2_000_000))[0] == 401


@pytest.mark.parametrize(
    ("path", "secret"),
    [(hidden_path(SECRET), b"\xff\xfe"), ("\xff", SECRET.encode()), ("%ff", SECRET.encode())],
)
async def test_a_secret_that_is_no_text_is_refused(
    shared_hooked: Stage, path: str, secret: bytes
) -> None:
    port = driver_of(shared_hooked).port
    request = b"POST /%s HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: 0\r\n\r\n"
    async with bare_connection(port) as (reader, writer):
        writer.write(request % (path.encode("latin-1"), HEADER.encode(), secret))
        assert (await reader.readline()).split()[1] in {b"400", b"401"}


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"[" * 50_000, b'{"a": NaN}', b"\xff\xfe", b"5"]
)
async def test_a_body_that_nobody_can_read_is_set_aside_and_not_brought_again(
    shared_hooked: Stage, body: bytes
) -> None:
    before = await shared_hooked.backstage.dead_letters()
    assert await called(driver_of(shared_hooked).address, {HEADER: SECRET}, body) == (200, "")
    assert await shared_hooked.backstage.dead_letters() == before + 1


async def test_a_connection_that_says_nothing_holds_nobody_up(shared_hooked: Stage) -> None:
    where = shared_hooked.somewhere(direct=True)
    port = driver_of(shared_hooked).port
    async with AsyncExitStack() as idlers:
        for _ in range(50):
            _, writer = await idlers.enter_async_context(bare_connection(port))
            writer.write(b"POST /bots/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nX-A: ")
        _, heard = await shared_hooked.asks("ada", where, "still there?")
    assert heard.text == "still there?"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: x\r\n" % n for n in range(10_000)) + b"\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
        b"POST /" + b"y" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01 no http at all\r\n\r\n",
    ],
    ids=["headers", "long header", "long path", "no http"],
)
async def test_what_is_no_bearable_request_is_refused(shared_hooked: Stage, sent: bytes) -> None:
    port = driver_of(shared_hooked).port
    async with bare_connection(port) as (reader, writer):
        writer.write(sent)
        answer = await reader.readline()
    assert answer.split()[1].startswith(b"4")
    assert "Traceback" not in shared_hooked.program.log
