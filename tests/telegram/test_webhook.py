"""The webhook, the program run for real: who may call it, and when it says 200."""

import asyncio
import io
import json
import socket
from typing import cast

import aiohttp
import pytest

from sympozium.contract.errors import PermanentError
from sympozium.testing.channels.driver import Spot, Where
from sympozium.testing.channels.stage import Stage
from sympozium_telegram.connection import bind
from sympozium_telegram.settings import hidden_path
from tests.telegram.hooked import SECRET, WebhookDriver

pytestmark = pytest.mark.timeout(60)

PRIVATE = Where(Spot.DIRECT, "mine")
HEADER = "X-Telegram-Bot-Api-Secret-Token"
UPDATE = json.dumps({"update_id": 5}).encode()


def driver_of(stage: Stage) -> WebhookDriver:
    return cast(WebhookDriver, stage.driver)


async def called(
    address: str, headers: dict[str, str], body: bytes = UPDATE, method: str = "POST"
) -> tuple[int, str]:
    """Call the webhook as anybody can; return the status and `Retry-After`."""
    timeout = aiohttp.ClientTimeout(total=20)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.request(method, address, data=io.BytesIO(body), headers=headers) as answer,
    ):
        return answer.status, answer.headers.get("Retry-After", "")


async def test_what_telegram_brings_is_heard_and_then_taken_from_it(hooked: Stage) -> None:
    said, heard = await hooked.asks("ada", PRIVATE, "hello")
    assert heard.text == "hello"
    await hooked.asks("ada", PRIVATE, "barrier")
    assert driver_of(hooked).counts.accepted[0] == said
    assert set(driver_of(hooked).server.webhook_answers) == {200}


async def test_an_answer_is_seen_as_with_polling(hooked: Stage) -> None:
    _, heard = await hooked.asks("ada", PRIVATE)
    await hooked.backstage.finish(heard, await hooked.backstage.accept(heard), "two pods")
    await hooked.sees_once(PRIVATE, "two pods")


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
    hooked: Stage, path: str, headers: dict[str, str]
) -> None:
    address = f"http://127.0.0.1:{driver_of(hooked).port}/bots/{path}"
    assert await called(address, headers) == (401, "")


async def test_only_a_post_of_bearable_size_is_read(hooked: Stage) -> None:
    address = driver_of(hooked).address
    assert (await called(address, {HEADER: SECRET}, b"x" * 2_000_000))[0] == 413
    assert (await called(address, {HEADER: SECRET}, method="GET"))[0] == 405
    assert (await called(address, {HEADER: "no"}, b"x" * 2_000_000))[0] == 401


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"[" * 50_000, b'{"a": NaN}', b"\xff\xfe", b"5"]
)
async def test_a_body_that_nobody_can_read_is_set_aside_and_not_brought_again(
    hooked: Stage, body: bytes
) -> None:
    assert await called(driver_of(hooked).address, {HEADER: SECRET}, body) == (200, "")
    assert await hooked.backstage.dead_letters() == 1


async def test_telegram_is_told_to_come_again_while_the_bus_is_away(hooked: Stage) -> None:
    driver = driver_of(hooked)
    await hooked.asks("ada", PRIVATE, "before")
    hooked.nats.kill()
    update = {"update_id": 6, "message": {"message_id": "x"}}
    status, wait = await called(driver.address, {HEADER: SECRET}, json.dumps(update).encode())
    assert (status, wait) == (503, "5")
    said = await driver.says("ada", PRIVATE, "meanwhile")
    assert said not in driver.counts.accepted
    await hooked.nats.start()
    assert (await hooked.heard(PRIVATE)).text == "meanwhile"


async def test_a_kill_after_the_store_neither_loses_nor_doubles(hooked: Stage) -> None:
    driver = driver_of(hooked)
    said, _ = await hooked.asks("ada", PRIVATE, "once")
    hooked.program.kill()
    await driver.repeats(said, times=3)
    await hooked.program.start()
    _, barrier = await hooked.asks("ada", PRIVATE, "barrier")
    assert barrier.text == "barrier"


async def test_the_webhook_is_set_once(hooked: Stage) -> None:
    driver = driver_of(hooked)
    assert driver.world.webhook["url"] == driver.address
    assert driver.world.webhook["secret_token"] == SECRET
    await hooked.program.stop()
    await hooked.program.start()
    assert driver.server.called.count("setWebhook") == 1


async def test_a_connection_that_says_nothing_holds_nobody_up(hooked: Stage) -> None:
    port = driver_of(hooked).port
    writers = []
    for _ in range(50):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /bots/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nX-A: ")
        writers.append(writer)
    _, heard = await hooked.asks("ada", PRIVATE, "still there?")
    assert heard.text == "still there?"
    for writer in writers:
        writer.close()


async def test_the_secret_and_the_address_are_in_no_log(hooked: Stage) -> None:
    await called(driver_of(hooked).address, {HEADER: "wrong"})
    await hooked.asks("ada", PRIVATE, "hello")
    await hooked.program.stop()
    assert SECRET not in hooked.program.log
    assert hidden_path(SECRET) not in hooked.program.log


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PermanentError, match=f"cannot listen on port {port}"):
            bind(port)
