"""The adapter, call by call, against the stand-in: what a person sees of it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.chat.desk import Desk
from sympozium.chat.errors import (
    ChatClosedError,
    MarkupRefusedError,
    PlatformBusyError,
    PostGoneError,
    ThreadGoneError,
)
from sympozium.chat.markup import Piece
from sympozium.chat.platform import Attachment, Growing, Mark, Shown, Target
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.messages import Choice, Command
from sympozium.contract.names import ConversationId, MessageId
from sympozium.testing.channels.desk import MemoryDesk, memory_desk
from sympozium.testing.channels.driver import Fault, Seen, Spot, Where
from sympozium_telegram import outbound
from sympozium_telegram.addresses import Reference, written_reference
from sympozium_telegram.addresses import Spot as Place
from sympozium_telegram.bot_api import BotApi
from sympozium_telegram.buttons import Buttons
from sympozium_telegram.drafts import Drafts
from sympozium_telegram.outbound import REACTIONS, Telegram
from tests.fixtures.remembered import remembered
from tests.platforms.telegram.driver import TelegramDriver
from tests.platforms.telegram.faults import Planned
from tests.platforms.telegram.methods import ALLOWED_REACTIONS
from tests.platforms.telegram.world import Chat

HERE = Where(Spot.CHANNEL, "here")
PRIVATE = Where(Spot.DIRECT, "mine")
SMALL = Choice(label="Use small", command=Command(name="model", arguments="small"))
LONG = Choice(label="Use it", command=Command(name="model", arguments="m" * 90))


@pytest.fixture
async def desk(bus: NatsBus) -> AsyncIterator[MemoryDesk]:
    async with memory_desk(bus, "default", "ops") as made:
        yield made


@pytest.fixture
def buttons(bus: NatsBus, desk: MemoryDesk) -> Buttons:
    return Buttons(Desk(bus, "default", "ops"))


@pytest.fixture
def telegram(api: BotApi, buttons: Buttons) -> Telegram:
    return Telegram(api, buttons, Drafts(api))


def piece(text: str) -> Piece:
    return Piece(text=text, plain=text)


def shown(text: str, *choices: Choice) -> Shown:
    return Shown(piece(text), choices)


async def asked(driver: TelegramDriver, where: Where, topic: int = 0) -> Target:
    said = await driver.says("ada", where, "question")
    chat, number = said.split(":")
    reference = Reference(Place(int(chat), topic), int(number))
    conversation = ConversationId(chat)
    return Target(conversation, MessageId(f"telegram:1:{number}"), written_reference(reference))


def texts(seen: list[Seen]) -> list[str]:
    return [one.text for one in seen]


async def test_a_message_answers_the_one_it_belongs_to(
    telegram: Telegram, driver: TelegramDriver
) -> None:
    target = await asked(driver, HERE)
    await telegram.post(target, shown("<b>two</b> pods"), key="k", again=False)
    (seen,) = driver.seen(HERE)
    assert (seen.text, seen.has_markup) == ("two pods", True)
    (answer,) = [one for one in driver.chat(HERE).messages.values() if one.is_of_bot]
    assert answer.reply_to == int(target.reply_to.split(":")[2])


async def test_a_message_is_changed_and_taken_away(
    telegram: Telegram, driver: TelegramDriver
) -> None:
    target = await asked(driver, HERE)
    post = await telegram.post(target, shown("…", SMALL), key="k", again=False)
    await telegram.edit(target, post, shown("done"))
    await telegram.edit(target, post, shown("done"))  # it says so already
    assert [(one.text, one.buttons) for one in driver.seen(HERE)] == [("done", ())]
    await telegram.remove(target, post)
    await telegram.remove(target, post)  # it is gone already
    assert driver.seen(HERE) == []
    with pytest.raises(PostGoneError):
        await telegram.edit(target, post, shown("again"))


async def test_a_message_whose_question_was_deleted_is_shown_all_the_same(
    telegram: Telegram, driver: TelegramDriver
) -> None:
    target = await asked(driver, HERE)
    driver.chat(HERE).messages.clear()
    await telegram.post(target, shown("answer"), key="k", again=False)
    assert texts(driver.seen(HERE)) == ["answer"]


async def test_markup_that_is_refused_says_so_and_plain_text_is_taken(
    telegram: Telegram, driver: TelegramDriver
) -> None:
    target = await asked(driver, HERE)
    bad = Piece(text="<b>open", plain="a < b & <b>")
    with pytest.raises(MarkupRefusedError):
        await telegram.post(target, Shown(bad), key="k", again=False)
    await telegram.post(target, Shown(bad, is_plain=True), key="k", again=False)
    assert texts(driver.seen(HERE)) == ["a < b & <b>"]


async def test_an_answer_belongs_to_its_topic(telegram: Telegram, driver: TelegramDriver) -> None:
    chat = driver.chat(HERE)
    chat.topics.add(7)
    target = await asked(driver, HERE, topic=7)
    await telegram.post(target, shown("in the topic"), key="k", again=False)
    (answer,) = [one for one in chat.messages.values() if one.is_of_bot]
    assert answer.topic == 7


async def test_an_answer_whose_topic_is_gone_is_said_once_in_the_chat(
    telegram: Telegram, driver: TelegramDriver
) -> None:
    target = await asked(driver, HERE, topic=7)
    with pytest.raises(ThreadGoneError):
        await telegram.post(target, shown("lost"), key="k", again=False)
    moved = Target(target.conversation, target.message_id, target.reply_to, in_chat=True)
    await telegram.post(moved, shown("found"), key="k", again=False)
    assert texts(driver.seen(HERE)) == ["found"]


async def test_an_answer_follows_its_group_to_where_it_moved(
    telegram: Telegram, driver: TelegramDriver
) -> None:
    target = await asked(driver, HERE)
    post = await telegram.post(target, shown("before"), key="k", again=False)
    driver.world.chats[-100_77] = new = Chat(-100_77, "supergroup", "moved")
    driver.chat(HERE).moved_to = new.id
    with pytest.raises(PostGoneError):
        await telegram.edit(target, post, shown("after"))
    await telegram.post(target, shown("after"), key="k", again=False)
    await telegram.signal(target, "")
    assert [one.parsed.text for one in new.messages.values()] == ["after"]
    assert new.typing == 1


async def test_an_answer_follows_each_of_more_groups_than_are_remembered(
    telegram: Telegram, driver: TelegramDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound, "MAX_MOVED", 2)
    for _ in range(2):
        for number in range(3):
            here, now = Where(Spot.CHANNEL, f"group {number}"), -100_70 - number
            target = await asked(driver, here)
            driver.world.chats[now] = new = Chat(now, "supergroup", "moved")
            driver.chat(here).moved_to = now
            await telegram.post(target, shown("after"), key="k", again=False)
            assert [one.parsed.text for one in new.messages.values()] == ["after"]
            driver.chat(here).moved_to = 0
            assert len(remembered(telegram)) <= 2
    assert len(remembered(telegram)) == 2


async def test_a_chat_that_put_the_bot_out_is_closed(
    telegram: Telegram, driver: TelegramDriver
) -> None:
    target = await asked(driver, HERE)
    driver.chat(HERE).closed = "bot was kicked from the supergroup chat"
    with pytest.raises(ChatClosedError) as closed:
        await telegram.post(target, shown("x"), key="k", again=False)
    assert closed.value.reason == "BotRemoved"


async def test_an_answer_grows_by_a_draft_in_a_private_chat_and_ends_in_one_message(
    telegram: Telegram, driver: TelegramDriver
) -> None:
    target = await asked(driver, PRIVATE)
    post = await telegram.post(target, shown("…"), key="k", again=False)
    for text in ("there are", "there are two"):
        await telegram.grow(target, post, Growing(text, piece(text)))
    assert texts(driver.seen(PRIVATE)) == ["…", "there are two"]
    await telegram.edit(target, post, shown("there are two pods"))
    assert texts(driver.seen(PRIVATE)) == ["there are two pods"]


async def test_a_draft_vanishes_with_a_message_that_is_taken_away(
    telegram: Telegram, driver: TelegramDriver
) -> None:
    target = await asked(driver, PRIVATE)
    post = await telegram.post(target, shown("…"), key="k", again=False)
    await telegram.grow(target, post, Growing("words", piece("words")))
    await telegram.remove(target, post)
    assert driver.seen(PRIVATE) == []


@pytest.mark.parametrize("method", ["sendMessage", "deleteMessage"])
@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.BROKEN, Fault.RESET])
async def test_nothing_of_a_draft_stays_where_ending_it_fails_at_first(
    telegram: Telegram, driver: TelegramDriver, method: str, fault: Fault
) -> None:
    target = await asked(driver, PRIVATE)
    post = await telegram.post(target, shown("…"), key="k", again=False)
    await telegram.grow(target, post, Growing("words", piece("words")))
    driver.server.faults.planned.append(Planned(fault, {method}))
    with pytest.raises(TransientError) as failed:
        await telegram.edit(target, post, shown("the end"))
    if isinstance(failed.value, PlatformBusyError):
        await asyncio.sleep(failed.value.retry_after_s)
    await telegram.edit(target, post, shown("the end"))
    messages = [one for one in driver.chat(PRIVATE).messages.values() if one.is_of_bot]
    assert [one.parsed.text for one in messages] == ["the end"]
    assert driver.counts.calls_in_penalty == 0


async def test_an_answer_without_words_yet_says_what_is_done_in_its_place(
    telegram: Telegram, driver: TelegramDriver
) -> None:
    target = await asked(driver, PRIVATE)
    post = await telegram.post(target, shown("…"), key="k", again=False)
    await telegram.grow(target, post, Growing("", piece("list_pods, 3 s"), "list_pods, 3 s"))
    assert texts(driver.seen(PRIVATE)) == ["list_pods, 3 s"]


async def test_a_server_without_drafts_is_asked_once_and_gets_edits(
    telegram: Telegram, driver: TelegramDriver
) -> None:
    driver.server.faults.unknown.add("sendMessageDraft")
    target = await asked(driver, PRIVATE)
    post = await telegram.post(target, shown("…"), key="k", again=False)
    for text in ("one", "one two"):
        await telegram.grow(target, post, Growing(text, piece(text)))
    assert texts(driver.seen(PRIVATE)) == ["one two"]
    assert driver.server.called.count("sendMessageDraft") == 1


async def test_an_answer_grows_by_edits_in_a_group(
    telegram: Telegram, driver: TelegramDriver
) -> None:
    target = await asked(driver, HERE)
    post = await telegram.post(target, shown("…"), key="k", again=False)
    await telegram.grow(target, post, Growing("two", piece("two"), choices=(SMALL,)))
    assert [(one.text, one.buttons) for one in driver.seen(HERE)] == [("two", ("Use small",))]
    assert "sendMessageDraft" not in driver.server.called


async def test_every_reaction_is_one_that_telegram_allows_and_replaces_the_earlier(
    telegram: Telegram, driver: TelegramDriver
) -> None:
    target = await asked(driver, HERE)
    number = target.reply_to.split(":")[2]
    said = f"{driver.chat(HERE).id}:{number}"
    for mark in (Mark.HELD, Mark.STORED, Mark.RUNNING, Mark.DONE, Mark.FAILED, Mark.NONE):
        await telegram.mark(target, mark)
        await telegram.mark(target, mark)
        assert driver.mark(said) is mark
    assert set(REACTIONS.values()) - {""} <= ALLOWED_REACTIONS


async def test_no_reaction_is_put_on_our_own_message(
    telegram: Telegram, driver: TelegramDriver
) -> None:
    target = await asked(driver, HERE)
    ours = Target(target.conversation, target.message_id, target.reply_to[:-1] + "b")
    await telegram.mark(ours, Mark.RUNNING)
    assert "setMessageReaction" not in driver.server.called


async def test_a_file_is_sent_whole_and_a_picture_as_a_photo(
    telegram: Telegram, driver: TelegramDriver
) -> None:
    target = await asked(driver, HERE)
    data = bytes(range(256)) * 12_000
    await telegram.upload(target, Attachment("a.bin", "x/y", data), key="k", again=False)
    await telegram.upload(target, Attachment("b.png", "image/png", data), key="k", again=False)
    assert [one.files for one in driver.seen(HERE)] == [("a.bin",), ("b.png",)]
    assert list(driver.world.files.values()) == [data, data]
    assert driver.server.called[-2:] == ["sendDocument", "sendPhoto"]


@pytest.mark.parametrize("choice", [SMALL, LONG])
async def test_a_button_carries_its_command_however_long(
    telegram: Telegram, buttons: Buttons, driver: TelegramDriver, choice: Choice
) -> None:
    target = await asked(driver, HERE)
    await telegram.post(target, shown("Which?", choice), key="k", again=False)
    (stored,) = [one for one in driver.chat(HERE).messages.values() if one.is_of_bot]
    (button,) = stored.buttons
    assert await buttons.command(button["callback_data"]) == choice.command


async def test_a_button_of_somebody_else_is_no_command(buttons: Buttons) -> None:
    for data in ("", "x", "n:unknown", "c:", "c:!!", "stop"):
        assert await buttons.command(data) is None


async def test_what_another_channel_wrote_is_refused(telegram: Telegram) -> None:
    target = Target(ConversationId("c"), MessageId("m"), "T1:C1:1700000000.1")
    with pytest.raises(PermanentError, match="no reference of a Telegram channel"):
        await telegram.post(target, shown("x"), key="k", again=False)


async def test_topics_share_the_budget_of_their_chat(
    telegram: Telegram, driver: TelegramDriver
) -> None:
    one, other = await asked(driver, HERE), await asked(driver, HERE, topic=7)
    assert telegram.chat_of(one) == telegram.chat_of(other) == driver.chat_id(HERE)
