"""Long polling, the program run for real: what is stored is confirmed, and nothing else is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from sympozium.contract.messages import Command, InboundKind
from sympozium.testing.channels.driver import Fault, Handed, Spot, Where
from sympozium.testing.channels.program import Program
from sympozium.testing.channels.stage import CHANNEL, NAMESPACE, Stage, stage
from sympozium_telegram.bot_api import BotApi
from tests.platforms.telegram.driver import TelegramDriver
from tests.platforms.telegram.faults import Planned
from tests.platforms.telegram.markup import Parsed
from tests.platforms.telegram.server import BotApiServer
from tests.platforms.telegram.world import Stored

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


def said_in_topic(driver: TelegramDriver, topic: int, text: str, **more: Any) -> str:
    chat = driver.chat(GROUP)
    chat.is_forum = True
    chat.topics.add(topic)
    stored = Stored(
        driver.world.next_message_id(),
        driver.world.person("ada"),
        Parsed(text),
        topic=topic,
        **more,
    )
    return driver.puts(chat, stored)


async def test_a_message_is_identified_by_its_update(
    polling: Stage, driver: TelegramDriver
) -> None:
    said, heard = await polling.asks("ada", PRIVATE, "hello")
    assert heard.message_id == f"telegram:7000001:{driver._updates[said]}"
    assert heard.conversation == driver.chat_id(PRIVATE)


async def test_a_kill_between_store_and_confirmation_neither_loses_nor_doubles(
    polling: Stage, server: BotApiServer, driver: TelegramDriver
) -> None:
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
        assert server.conflicts == 0
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


async def test_every_call_goes_to_the_address_that_was_given(
    polling: Stage, server: BotApiServer, driver: TelegramDriver
) -> None:
    await driver.says("ada", PRIVATE, "look", files=[DOCUMENT])
    heard = await polling.heard(PRIVATE)
    run = await polling.backstage.accept(heard)
    file = await polling.backstage.file(run, "b.txt", b"answer")
    await polling.backstage.finish(heard, run, "see", files=[file])
    await polling.sees(PRIVATE, lambda seen: any(one.files for one in seen), "the file")
    assert {"download", "sendDocument", "getFile"} <= set(server.called)
    assert server.hosts == {server.url.removeprefix("http://")}


async def test_a_picture_comes_in_its_largest_size_with_its_caption(
    polling: Stage, driver: TelegramDriver
) -> None:
    picture = Handed("cat.jpg", "image/jpeg", b"\xff\xd8 a large picture")
    await driver.says("ada", GROUP, "what is this?", mention=True, files=[picture])
    heard = await polling.heard(GROUP)
    assert (heard.text, len(heard.files)) == ("what is this?", 1)
    assert await polling.backstage.read(heard.files[0]) == picture.data


async def test_a_file_that_cannot_be_had_is_told_and_the_message_is_heard(
    polling: Stage, driver: TelegramDriver
) -> None:
    lost = driver.world.files
    said_files = [DOCUMENT, Handed("b.txt", "text/plain", b"other")]
    server = driver.server
    server.faults.planned.append(Planned(Fault.GONE, frozenset({"getFile"})))
    server.faults.planned.append(Planned(Fault.BROKEN, frozenset({"getFile"})))
    await driver.says("ada", PRIVATE, "look", files=said_files)
    first, second = await polling.heard(PRIVATE), await polling.heard(PRIVATE)
    assert (first.text, first.files) == ("look", [])
    assert "'a.txt'" in first.quoted
    assert [file.name for file in second.files] == ["b.txt"]
    assert len(lost) == 2


async def test_a_file_that_is_too_big_is_told_by_its_name_and_size(
    polling: Stage, driver: TelegramDriver
) -> None:
    media = {"document": {"file_id": "big", "file_name": "big.iso", "file_size": 35_000_000}}
    chat = driver.chat(PRIVATE)
    stored = Stored(
        driver.world.next_message_id(), driver.world.person("ada"), Parsed("this"), media=media
    )
    driver.puts(chat, stored)
    heard = await polling.heard(PRIVATE)
    assert (heard.text, heard.files) == ("this", [])
    assert "'big.iso' of 35.0 MB" in heard.quoted


async def test_an_edit_finds_its_message_after_a_restart(
    polling: Stage, driver: TelegramDriver
) -> None:
    said, first = await polling.asks("ada", PRIVATE, "pod a")
    polling.program.kill()
    await polling.program.start()
    await driver.edits(said, "pod b")
    edit = await polling.heard(PRIVATE)
    assert (edit.kind, edit.target, edit.text) == (InboundKind.EDIT, first.message_id, "pod b")


async def test_an_edit_of_what_was_not_for_the_bot_is_nothing(
    polling: Stage, driver: TelegramDriver
) -> None:
    said = await driver.says("ada", GROUP, "between us")
    await driver.edits(said, "still between us")
    _, heard = await polling.asks("ada", GROUP, "now you")
    assert heard.text == "now you"


async def test_a_topic_is_a_conversation_of_its_own_and_its_answer_stays_in_it(
    polling: Stage, driver: TelegramDriver
) -> None:
    said_in_topic(driver, 7, "which pods?")
    heard = await polling.heard(GROUP)
    assert heard.conversation == f"{driver.chat_id(GROUP)}:7"
    assert (heard.place.thread, heard.addressed) == ("7", False)
    run = await polling.backstage.accept(heard)
    await polling.backstage.finish(heard, run, "two")
    await polling.sees_once(GROUP, "two")
    (answer,) = [one for one in driver.chat(GROUP).messages.values() if one.is_of_bot]
    assert answer.topic == 7


async def test_an_answer_whose_topic_was_deleted_is_said_in_the_group(
    polling: Stage, driver: TelegramDriver
) -> None:
    said_in_topic(driver, 7, "which pods?")
    heard = await polling.heard(GROUP)
    driver.chat(GROUP).topics.clear()
    await polling.backstage.finish(heard, await polling.backstage.accept(heard), "two")
    await polling.sees_once(GROUP, "two")


async def test_a_pressed_button_is_let_go_when_its_command_is_stored(
    polling: Stage, driver: TelegramDriver
) -> None:
    _, heard = await polling.asks("ada", GROUP)
    await polling.backstage.accept(heard)
    seen = await polling.sees(GROUP, lambda seen: any(one.buttons for one in seen), "a button")
    await driver.presses("bob", seen[0].id, seen[0].buttons[0])
    pressed = await polling.heard(GROUP)
    assert pressed.command is not None
    assert pressed.command.name == "stop"
    await polling.asks("ada", GROUP, "barrier")
    assert driver.world.answered_queries == ["query-1"]


async def test_a_command_in_a_topic_is_given_there(polling: Stage, driver: TelegramDriver) -> None:
    text = "/status@sympozium_test_bot"
    stored = Stored(
        driver.world.next_message_id(),
        driver.world.person("ada"),
        Parsed(text, [{"type": "bot_command", "offset": 0, "length": len(text)}]),
        topic=7,
    )
    driver.puts(driver.chat(GROUP), stored)
    heard = await polling.heard(GROUP)
    assert heard.command == Command(name="status")
    assert heard.conversation.endswith(":7")
