"""What people do at Telegram in particular, and what they see: one program for all tests."""

from typing import Any, cast

import pytest

from sympozium.contract.messages import Command
from sympozium.testing.channels.driver import Fault, Handed, Where
from sympozium.testing.channels.stage import Stage
from tests.platforms.telegram.driver import TelegramDriver
from tests.platforms.telegram.faults import Planned
from tests.platforms.telegram.markup import Parsed
from tests.platforms.telegram.world import Stored

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]

DOCUMENT = Handed("a.txt", "text/plain", b"content")


def driver_of(stage: Stage) -> TelegramDriver:
    return cast(TelegramDriver, stage.driver)


def said_in_topic(driver: TelegramDriver, where: Where, topic: int, text: str, **more: Any) -> str:
    chat = driver.chat(where)
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


async def test_a_message_is_identified_by_its_update(shared: Stage) -> None:
    driver = driver_of(shared)
    where = shared.somewhere(direct=True)
    said, heard = await shared.asks("ada", where, "hello")
    assert heard.message_id == f"telegram:7000001:{driver._updates[said]}"
    assert heard.conversation == driver.chat_id(where)


async def test_every_call_goes_to_the_address_that_was_given(shared: Stage) -> None:
    driver = driver_of(shared)
    server = driver_of(shared).server
    where = shared.somewhere(direct=True)
    await driver.says("ada", where, "look", files=[DOCUMENT])
    heard = await shared.heard(where)
    run = await shared.backstage.accept(heard)
    file = await shared.backstage.file(run, "b.txt", b"answer")
    await shared.backstage.finish(heard, run, "see", files=[file])
    await shared.sees(where, lambda seen: any(one.files for one in seen), "the file")
    assert {"download", "sendDocument", "getFile"} <= set(server.called)
    assert server.hosts == {server.url.removeprefix("http://")}


async def test_a_picture_comes_in_its_largest_size_with_its_caption(shared: Stage) -> None:
    driver = driver_of(shared)
    where = shared.somewhere()
    picture = Handed("cat.jpg", "image/jpeg", b"\xff\xd8 a large picture")
    await driver.says("ada", where, "what is this?", mention=True, files=[picture])
    heard = await shared.heard(where)
    assert (heard.text, len(heard.files)) == ("what is this?", 1)
    assert await shared.backstage.read(heard.files[0]) == picture.data


async def test_a_file_that_cannot_be_had_is_told_and_the_message_is_heard(shared: Stage) -> None:
    driver = driver_of(shared)
    where = shared.somewhere(direct=True)
    said_files = [DOCUMENT, Handed("b.txt", "text/plain", b"other")]
    server = driver.server
    server.faults.planned.append(Planned(Fault.GONE, frozenset({"getFile"})))
    server.faults.planned.append(Planned(Fault.BROKEN, frozenset({"getFile"})))
    await driver.says("ada", where, "look", files=said_files)
    first, second = await shared.heard(where), await shared.heard(where)
    assert (first.text, first.files) == ("look", [])
    assert "'a.txt'" in first.quoted
    assert [file.name for file in second.files] == ["b.txt"]


async def test_a_file_that_is_too_big_is_told_by_its_name_and_size(shared: Stage) -> None:
    driver = driver_of(shared)
    where = shared.somewhere(direct=True)
    media = {"document": {"file_id": "big", "file_name": "big.iso", "file_size": 35_000_000}}
    chat = driver.chat(where)
    stored = Stored(
        driver.world.next_message_id(), driver.world.person("ada"), Parsed("this"), media=media
    )
    driver.puts(chat, stored)
    heard = await shared.heard(where)
    assert (heard.text, heard.files) == ("this", [])
    assert "'big.iso' of 35.0 MB" in heard.quoted


async def test_an_edit_of_what_was_not_for_the_bot_is_nothing(shared: Stage) -> None:
    driver = driver_of(shared)
    where = shared.somewhere()
    said = await driver.says("ada", where, "between us")
    await driver.edits(said, "still between us")
    _, heard = await shared.asks("ada", where, "now you")
    assert heard.text == "now you"


async def test_a_topic_is_a_conversation_of_its_own_and_its_answer_stays_in_it(
    shared: Stage,
) -> None:
    driver = driver_of(shared)
    where = shared.somewhere()
    said_in_topic(driver, where, 7, "which pods?")
    heard = await shared.heard(where)
    assert heard.conversation == f"{driver.chat_id(where)}:7"
    assert (heard.place.thread, heard.addressed) == ("7", False)
    run = await shared.backstage.accept(heard)
    await shared.backstage.finish(heard, run, "two")
    await shared.sees_once(where, "two")
    (answer,) = [one for one in driver.chat(where).messages.values() if one.is_of_bot]
    assert answer.topic == 7


async def test_an_answer_whose_topic_was_deleted_is_said_in_the_group(shared: Stage) -> None:
    driver = driver_of(shared)
    where = shared.somewhere()
    said_in_topic(driver, where, 7, "which pods?")
    heard = await shared.heard(where)
    driver.chat(where).topics.clear()
    await shared.backstage.finish(heard, await shared.backstage.accept(heard), "two")
    await shared.sees_once(where, "two")


async def test_a_pressed_button_is_let_go_when_its_command_is_stored(shared: Stage) -> None:
    driver = driver_of(shared)
    where = shared.somewhere()
    _, heard = await shared.asks("ada", where)
    await shared.backstage.accept(heard)
    seen = await shared.sees(where, lambda seen: any(one.buttons for one in seen), "a button")
    before = len(driver.world.answered_queries)
    await driver.presses("bob", seen[0].id, seen[0].buttons[0])
    pressed = await shared.heard(where)
    assert pressed.command is not None
    assert pressed.command.name == "stop"
    await shared.asks("ada", where, "barrier")
    assert len(driver.world.answered_queries) == before + 1


async def test_a_command_in_a_topic_is_given_there(shared: Stage) -> None:
    driver = driver_of(shared)
    where = shared.somewhere()
    text = "/status@sympozium_test_bot"
    stored = Stored(
        driver.world.next_message_id(),
        driver.world.person("ada"),
        Parsed(text, [{"type": "bot_command", "offset": 0, "length": len(text)}]),
        topic=7,
    )
    driver.puts(driver.chat(where), stored)
    heard = await shared.heard(where)
    assert heard.command == Command(name="status")
    assert heard.conversation.endswith(":7")


async def test_an_answer_in_a_private_chat_grows_as_a_draft_and_ends_as_one_message(
    shared: Stage,
) -> None:
    driver = driver_of(shared)
    where = shared.somewhere(direct=True)
    _, heard = await shared.asks("ada", where)
    run = await shared.backstage.accept(heard)
    await shared.sees(where, lambda seen: len(seen) == 1, "a placeholder")
    await shared.backstage.starts(run)
    await shared.sees_live(
        where, "there are two", lambda: shared.backstage.writes(run, "there are two")
    )
    assert [one.id == "draft" for one in driver.seen(where)] == [False, True]
    await shared.backstage.finish(heard, run, "in truth three")
    await shared.sees_once(where, "in truth three")
    assert len(driver.seen(where)) == 1
    assert not [one for one in driver.chat(where).messages.values() if one.is_silent]


async def test_the_reply_of_a_run_quotes_the_message_that_it_answers(shared: Stage) -> None:
    driver = driver_of(shared)
    where = shared.somewhere()
    said, heard = await shared.asks("ada", where)
    await shared.backstage.finish(heard, await shared.backstage.accept(heard), "two")
    await shared.sees_once(where, "two")
    (answer,) = [one for one in driver.chat(where).messages.values() if one.is_of_bot]
    assert f"{driver.chat_id(where)}:{answer.reply_to}" == said


async def test_what_cannot_be_written_down_does_not_stop_what_comes_after_it(shared: Stage) -> None:
    driver = driver_of(shared)
    where = shared.somewhere(direct=True)
    sender = {**driver.world.person("ada"), "first_name": "A\ud83d"}
    odd = Stored(driver.world.next_message_id(), sender, Parsed("odd \udc00"))
    driver.puts(driver.chat(where), odd)
    assert (await shared.heard(where)).text == "odd ?"
    far = Stored(driver.world.next_message_id(), sender, Parsed("far"), extra={"date": 10**15})
    driver.puts(driver.chat(where), far)
    _, heard = await shared.asks("ada", where, "barrier")
    assert heard.text == "barrier"
