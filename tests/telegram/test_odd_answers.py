"""A server that answers what the Bot API never says, such as a proxy in its place."""

import pytest

from sympozium.contract.errors import TransientError
from sympozium.testing.channels.driver import Spot, Where
from sympozium.testing.channels.stage import Stage
from sympozium_telegram.bot_api import MAX_ANSWER_BYTES, BotApi
from tests.platforms.telegram.driver import TelegramDriver
from tests.platforms.telegram.server import BotApiServer

pytestmark = pytest.mark.timeout(60)

PRIVATE = Where(Spot.DIRECT, "mine")


@pytest.mark.parametrize("result", [b"true", b"[]", b"null", b'"text"', b"5"])
async def test_a_result_that_is_no_object_may_be_there_later(
    api: BotApi, server: BotApiServer, result: bytes
) -> None:
    server.faults.raw_answers.append(("getMe", 200, b'{"ok": true, "result": ' + result + b"}"))
    with pytest.raises(TransientError):
        await api.call_object("getMe")


async def test_the_poll_outlives_what_is_too_long_and_names_no_update(
    polling: Stage, driver: TelegramDriver
) -> None:
    body = b'{"result": [{"text": "' + b"x" * MAX_ANSWER_BYTES + b'"}], "ok": true}'
    driver.server.faults.raw_answers.extend([("getUpdates", 200, body)] * 2)
    await driver.cuts_connections()
    _, heard = await polling.asks("ada", PRIVATE, "still there?")
    assert heard.text == "still there?"


@pytest.mark.parametrize(
    "result", [b"true", b"{}", b'[5, "x", {"update_id": "x"}, {"message": 1}]', b"[[[]]]"]
)
async def test_the_poll_outlives_what_is_no_list_of_updates(
    polling: Stage, driver: TelegramDriver, result: bytes
) -> None:
    body = b'{"ok": true, "result": ' + result + b"}"
    driver.server.faults.raw_answers.append(("getUpdates", 200, body))
    await driver.cuts_connections()
    _, heard = await polling.asks("ada", PRIVATE, "still there?")
    assert heard.text == "still there?"
    assert await polling.program.stop() == 0
