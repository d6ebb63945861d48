"""Long polling, the program run for real: what is stored is confirmed, and nothing else is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import pytest

from sympozium.contract.messages import InboundKind
from sympozium.testing.channels.driver import Fault, Handed, Spot, Where
from sympozium.testing.channels.program import Program
from sympozium.testing.channels.stage import CHANNEL, NAMESPACE, Stage, stage
from sympozium_telegram.bot_api import BotApi
from tests.platforms.telegram.driver import TelegramDriver
from tests.platforms.telegram.faults import Planned
from tests.platforms.telegram.server import BotApiServer

pytestmark = pytest.mark.timeout(60)

PRIVATE = Where(Spot.DIRECT, "mine")
GROUP = Where(Spot.CHANNEL, "ops")
POLLS = frozenset({"getUpdates"})
DOCUMENT = Handed("a.txt", "text/plain", b"content")


@asynccontextmanager
async def started(driver: TelegramDriver, directory: Path) -> AsyncIterator[Stage]:
    """Start the program at a stand-in that was prepared before."""
    async with stage(lambda: nullcontext(driver), directory) as running:
        yield running


async def test_a_kill_between_store_and_confirmation_neither_loses_nor_doubles(
    polling: Stage, server: BotApiServer, driver: TelegramDriver
) -> None:
    await server.polled()
    held = server.faults.hold("getUpdates")
    said, _ = await polling.asks("ada", PRIVATE, "once")
    assert said not in driver.counts.accepted
    polling.program.kill()
    held.set()
    await polling.program.start()
    _, barrier = await polling.asks("ada", PRIVATE, "barrier")
    assert barrier.text == "barrier"
    await polling.program.stop()
    assert said in driver.counts.accepted


async def test_what_is_stored_is_confirmed_before_the_program_ends(
    polling: Stage, driver: TelegramDriver
) -> None:
    said, _ = await polling.asks("ada", PRIVATE)
    assert await polling.program.stop() == 0
    assert driver.counts.accepted == [said]


async def test_an_update_that_nobody_can_read_is_set_aside_and_confirmed(
    polling: Stage, driver: TelegramDriver
) -> None:
    for _ in range(3):
        await driver.sends_nonsense()
    await polling.asks("ada", PRIVATE, "still there?")
    await polling.asks("ada", PRIVATE, "the next poll")
    assert await polling.backstage.dead_letters() == 3
    await polling.program.stop()
    assert not driver.world.waiting


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.RESET, Fault.BUSY])
async def test_a_poll_that_fails_is_made_again(
    polling: Stage, server: BotApiServer, driver: TelegramDriver, fault: Fault
) -> None:
    server.faults.planned.extend([Planned(fault, POLLS)] * 2)
    server.faults.raw_answers.append(("getUpdates", 200, b"<html>"))
    await driver.cuts_connections()
    _, heard = await polling.asks("ada", PRIVATE, "hello")
    assert heard.text == "hello"


async def test_another_poller_is_waited_out(
    polling: Stage, server: BotApiServer, api: BotApi
) -> None:
    await server.polled()
    await api.call("getUpdates", {"timeout": 0, "limit": 1})
    _, heard = await polling.asks("ada", PRIVATE, "hello")
    assert heard.text == "hello"
    assert server.conflicts >= 1


async def test_of_two_programs_one_polls_and_the_other_takes_over(
    polling: Stage, server: BotApiServer, tmp_path: Path
) -> None:
    env = {
        "SYMPOZIUM_CHANNEL_NAMESPACE": NAMESPACE,
        "SYMPOZIUM_CHANNEL_NAME": CHANNEL,
        "SYMPOZIUM_NATS_URL": polling.nats.url,
        **polling.driver.env,
    }
    second = Program(polling.driver.module, env, tmp_path / "second.log")
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(second.start())
            await polling.asks("ada", PRIVATE, "to the first")
            assert await polling.program.stop() == 0
        _, heard = await polling.asks("ada", PRIVATE, "to the second")
        assert heard.text == "to the second"
        assert server.conflicts <= 1  # the first one's connection may end a moment later
    finally:
        second.kill()


async def test_a_webhook_of_somebody_else_is_deleted_and_what_waits_is_kept(
    driver: TelegramDriver, tmp_path: Path
) -> None:
    driver.world.webhook = {"url": "http://127.0.0.1:9/elsewhere", "secret_token": "x"}
    await driver.says("ada", PRIVATE, "waited")
    async with started(driver, tmp_path) as running:
        assert (await running.heard(PRIVATE)).text == "waited"
    assert driver.world.webhook == {}


async def test_the_menu_is_set_once(polling: Stage, server: BotApiServer) -> None:
    await polling.asks("ada", PRIVATE)
    await polling.program.stop()
    await polling.program.start()
    assert server.called.count("setMyCommands") == 1
    assert {one["command"] for one in server.world.menu} >= {"new", "stop", "status", "help"}


async def test_a_token_that_is_refused_is_told_and_the_program_lives_on(
    polling: Stage, server: BotApiServer, driver: TelegramDriver
) -> None:
    server.faults.is_revoked = True
    await driver.cuts_connections()
    told = await polling.backstage.desk.told_of_trouble()
    assert told.reason == "TokenRefused"
    assert "BotFather" in told.message
    assert await polling.program.stop() == 0


async def test_an_edit_finds_its_message_after_a_restart(
    polling: Stage, driver: TelegramDriver
) -> None:
    said, first = await polling.asks("ada", PRIVATE, "pod a")
    polling.program.kill()
    await polling.program.start()
    await driver.edits(said, "pod b")
    edit = await polling.heard(PRIVATE)
    assert (edit.kind, edit.target, edit.text) == (InboundKind.EDIT, first.message_id, "pod b")
