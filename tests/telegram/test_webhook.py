"""The webhook, the program run for real: who may call it, and when it says 200."""

import json
import socket

import pytest

from sympozium.contract.errors import PermanentError
from sympozium.testing.channels.driver import Spot, Where
from sympozium.testing.channels.stage import Stage
from sympozium_telegram.connection import bind
from sympozium_telegram.settings import hidden_path
from tests.telegram.hooked import SECRET, called, driver_of

pytestmark = pytest.mark.timeout(60)

PRIVATE = Where(Spot.DIRECT, "mine")
HEADER = "X-Telegram-Bot-Api-Secret-Token"


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
