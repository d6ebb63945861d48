"""What people do, and what becomes of it behind the channel."""

import random

import pytest

from sympozium.contract.messages import Command, InboundKind
from sympozium.testing.channels.driver import Handed, Spot, Where
from sympozium.testing.channels.stage import Stage

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]


async def test_a_direct_message_is_stored_with_the_id_of_its_sender(shared: Stage) -> None:
    where = shared.somewhere(direct=True)
    _, heard = await shared.asks("ada", where, "hello")
    assert heard.text == "hello"
    assert heard.sender.user_id == shared.driver.user_id("ada")
    assert heard.addressed
    assert heard.kind is InboundKind.MESSAGE


async def test_a_message_in_a_channel_is_stored_only_where_it_names_the_bot(shared: Stage) -> None:
    where = _channel(shared)
    await shared.driver.says("ada", where, "good morning everyone")
    _, heard = await shared.asks("ada", where, "which pods run here?")
    assert heard.text == "which pods run here?"
    assert not heard.place.is_direct


async def test_the_mention_of_the_bot_is_not_part_of_the_task(shared: Stage) -> None:
    where = _channel(shared)
    await shared.driver.says("ada", where, "a < b & c > d", mention=True)
    assert (await shared.heard(where)).text == "a < b & c > d"


async def test_a_thread_goes_on_in_the_conversation_that_it_hangs_on(shared: Stage) -> None:
    where = _threads(shared)
    said, first = await shared.asks("ada", where)
    run = await shared.backstage.accept(first)
    await shared.backstage.finish(first, run, "two pods")
    await shared.sees_once(where, "two pods")
    thread = Where(where.spot, where.name, thread=said)
    await shared.driver.says("ada", thread, "and the second one?")
    second = await shared.heard(where)
    assert second.conversation == first.conversation
    assert not second.addressed
    await shared.driver.says("ada", thread, "and the third one?", mention=True)
    third = await shared.heard(where)
    assert (third.conversation, third.addressed) == (first.conversation, True)


async def test_two_messages_in_a_channel_are_two_conversations(shared: Stage) -> None:
    where = _threads(shared)
    _, first = await shared.asks("ada", where)
    _, second = await shared.asks("ada", where)
    assert first.conversation != second.conversation


async def test_a_direct_chat_is_one_conversation(shared: Stage) -> None:
    where = shared.somewhere(direct=True)
    _, first = await shared.asks("ada", where)
    _, second = await shared.asks("ada", where)
    assert first.conversation == second.conversation
    assert first.message_id != second.message_id


async def test_the_same_event_five_times_is_one_message(shared: Stage) -> None:
    where = shared.somewhere()
    said, first = await shared.asks("ada", where, "once")
    await shared.driver.repeats(said, times=4)
    _, second = await shared.asks("ada", where, "barrier")
    assert (first.text, second.text) == ("once", "barrier")


async def test_events_that_come_up_to_five_times_in_any_order_are_one_message_each(
    shared: Stage,
) -> None:
    dice = random.Random(5)  # noqa: S311 - no secret
    said: dict[str, tuple[Where, str]] = {}
    for number in range(10):
        where, text = shared.somewhere(), f"message {number}"
        mention = where.spot is Spot.CHANNEL
        said[await shared.driver.says("ada", where, text, mention=mention)] = (where, text)
    again = [one for one in said for _ in range(dice.randrange(5))]
    dice.shuffle(again)
    for one in again:
        await shared.driver.repeats(one, times=1)
    for where, text in said.values():
        assert (await shared.heard(where)).text == text
        _, barrier = await shared.asks("ada", where, "barrier")
        assert barrier.text == "barrier"


async def test_an_event_that_nobody_can_read_does_not_stop_the_next_one(shared: Stage) -> None:
    before = await shared.backstage.dead_letters()
    await shared.driver.sends_nonsense()
    _, heard = await shared.asks("ada", shared.somewhere(), "still there?")
    assert heard.text == "still there?"
    if shared.driver.traits.has_threads:  # the web refuses nonsense in its face
        await shared.backstage.buried(before + 1)


async def test_a_changed_message_names_the_one_that_it_changes(shared: Stage) -> None:
    if not shared.driver.traits.can_edit:
        pytest.skip("people cannot change what they wrote there")
    where = shared.somewhere()
    said, first = await shared.asks("ada", where, "delete pod a")
    await shared.driver.edits(said, "delete pod b")
    edit = await shared.heard(where)
    assert edit.kind is InboundKind.EDIT
    assert (edit.target, edit.text) == (first.message_id, "delete pod b")
    assert edit.conversation == first.conversation
    assert edit.message_id != first.message_id


async def test_a_deleted_message_names_the_one_that_is_gone(shared: Stage) -> None:
    if not shared.driver.traits.can_delete:
        pytest.skip("the platform does not say that a message was deleted")
    where = shared.somewhere()
    said, first = await shared.asks("ada", where, "never mind")
    await shared.driver.deletes(said)
    deletion = await shared.heard(where)
    assert (deletion.kind, deletion.target) == (InboundKind.DELETE, first.message_id)


async def test_a_command_of_the_platform_is_a_command(shared: Stage) -> None:
    if not shared.driver.traits.has_commands:
        pytest.skip("the platform has no commands of its own")
    where = shared.somewhere()
    await shared.driver.commands("ada", where, "status")
    heard = await shared.heard(where)
    assert heard.kind is InboundKind.COMMAND
    assert heard.command == Command(name="status")
    assert heard.sender.user_id == shared.driver.user_id("ada")


async def test_a_word_after_an_exclamation_mark_is_a_command_in_a_direct_chat(
    shared: Stage,
) -> None:
    where = shared.somewhere(direct=True)
    await shared.driver.says("ada", where, "!model small")
    heard = await shared.heard(where)
    assert heard.command == Command(name="model", arguments="small")


async def test_a_word_after_an_exclamation_mark_is_a_command_in_a_thread(shared: Stage) -> None:
    where = _threads(shared)
    said, first = await shared.asks("ada", where)
    run = await shared.backstage.accept(first)
    await shared.backstage.finish(first, run, "done so far")
    await shared.sees_once(where, "done so far")
    await shared.driver.says("ada", Where(where.spot, where.name, thread=said), "!stop")
    heard = await shared.heard(where)
    assert heard.command == Command(name="stop")
    assert heard.conversation == first.conversation


async def test_an_exclamation_that_is_no_command_is_a_message(shared: Stage) -> None:
    where = shared.somewhere(direct=True)
    await shared.driver.says("ada", where, "!important look at pod a")
    heard = await shared.heard(where)
    assert (heard.kind, heard.text) == (InboundKind.MESSAGE, "!important look at pod a")


async def test_a_file_comes_as_a_reference_to_its_bytes(shared: Stage) -> None:
    if not shared.driver.traits.has_files:
        pytest.skip("people cannot send files there")
    where = shared.somewhere(direct=True)
    data = bytes(range(256)) * 2048
    handed = Handed("report.txt", "text/plain", data)
    await shared.driver.says("ada", where, "look at this", files=[handed])
    heard = await shared.heard(where)
    assert [(file.name, file.size_bytes) for file in heard.files] == [("report.txt", len(data))]
    assert await shared.backstage.read(heard.files[0]) == data


def _channel(stage: Stage) -> Where:
    if Spot.CHANNEL not in stage.driver.traits.spots:
        pytest.skip("there are no channels there")
    return stage.somewhere()


def _threads(stage: Stage) -> Where:
    if not stage.driver.traits.has_threads:
        pytest.skip("there are no threads there")
    return stage.somewhere()
