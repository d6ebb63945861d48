"""Slash commands, buttons and forms, through the program."""

import pytest

from sympozium.contract.messages import Command, InboundKind
from sympozium.testing.channels.driver import Handed, Spot, Where
from sympozium.testing.channels.stage import Stage
from sympozium_slack.forms import ABOUT_CALLBACK, CALLBACK, QUESTION_BLOCK
from tests.platforms.slack.delivery import Parcel, callback
from tests.platforms.slack.driver import SlackDriver
from tests.platforms.slack.workspace import TEAM, Message, Wire

pytestmark = pytest.mark.timeout(60)
HERE = Where(Spot.CHANNEL, "asking")


def driver_of(stage: Stage) -> SlackDriver:
    assert isinstance(stage.driver, SlackDriver)
    return stage.driver


async def opened(driver: SlackDriver) -> Wire:
    """Return the newest form, as soon as there is one."""
    while not driver.server.workspace.views:
        await driver.changed()
    return driver.server.workspace.views[-1]


async def sent(driver: SlackDriver, view: Wire, text: str) -> Wire | None:
    """Send a form with a question."""
    state = {"values": {QUESTION_BLOCK: {QUESTION_BLOCK: {"type": "x", "value": text}}}}
    form = {"type": "view_submission", "view": view | {"state": state}}
    answer: Wire | None = await (await driver.interacts("ada", form)).taken
    return answer


async def test_a_slash_command_without_words_asks_for_help(own: Stage) -> None:
    await driver_of(own).slash("ada", HERE, "")
    heard = await own.heard(HERE)
    assert (heard.kind, heard.command) == (InboundKind.COMMAND, Command(name="help"))
    assert heard.conversation == f"{TEAM}:{own.driver.chat_id(HERE)}"


async def test_a_word_that_is_no_command_is_the_routers_to_answer(own: Stage) -> None:
    await driver_of(own).slash("ada", HERE, "dance quickly")
    assert (await own.heard(HERE)).command == Command(name="dance", arguments="quickly")


async def test_a_question_in_a_form_becomes_a_direct_message(own: Stage) -> None:
    driver = driver_of(own)
    await driver.slash("ada", HERE, "ask")
    view = await opened(driver)
    assert view["callback_id"] == CALLBACK
    assert await sent(driver, view, "which pods run here?") is None
    direct = driver.server.workspace.channel(f"D{own.driver.user_id('ada')[1:]}")
    heard = await own.backstage.heard(direct.id)
    assert (heard.text, heard.place.is_direct) == ("which pods run here?", True)
    assert heard.sender.user_id == own.driver.user_id("ada")
    run = await own.backstage.accept(heard)
    await own.backstage.finish(heard, run, "two pods")
    while not any("two pods" in one.text for one in direct.messages.values()):
        await driver.changed()
    texts = [message.text for message in direct.messages.values()]
    assert texts == ["*You asked:* which pods run here?", "two pods"]


async def test_a_question_about_a_message_carries_the_message(own: Stage) -> None:
    driver = driver_of(own)
    about = Message(ts="1.000001", user="", bot_id="B0ALERT", text="disk is full")
    await driver.interacts(
        "ada",
        {"type": "message_action", "callback_id": ABOUT_CALLBACK, "message": about.wire()},
    )
    await sent(driver, await opened(driver), "why?")
    heard = await own.backstage.heard(f"D{own.driver.user_id('ada')[1:]}")
    assert (heard.text, heard.quoted) == ("why?", "disk is full")


async def test_a_form_that_cannot_be_taken_stays_open_and_says_so(own: Stage) -> None:
    driver = driver_of(own)
    await driver.interacts("ada", {"type": "shortcut", "callback_id": CALLBACK})
    view = await opened(driver)
    driver.server.workspace.scopes.discard("im:write")
    refused = await sent(driver, view, "which pods?")
    assert refused is not None
    assert refused["response_action"] == "errors"
    driver.server.workspace.scopes.add("im:write")
    assert await sent(driver, view, "which pods?") is None


async def test_an_alert_is_quoted_where_its_thread_is_asked_in(own: Stage) -> None:
    driver = driver_of(own)
    channel = driver.server.workspace.channel(own.driver.chat_id(HERE))
    alert = Message(ts=driver.server.workspace.now_ts(), user="", bot_id="B0ALERT")
    alert.attachments = [{"title": "DiskFull", "text": "node-1 97 %"}]
    driver.server.workspace.add(channel, alert)
    thread = Where(HERE.spot, HERE.name, thread=f"{channel.id}:{alert.ts}")
    await driver.says("ada", thread, "look at this", mention=True)
    heard = await own.heard(HERE)
    assert heard.quoted == "DiskFull\nnode-1 97 %"
    await driver.says("ada", thread, "and again", mention=True)
    assert (await own.heard(HERE)).quoted == ""


async def test_an_assistant_thread_offers_beginnings(own: Stage) -> None:
    driver = driver_of(own)
    event = {
        "type": "assistant_thread_started",
        "assistant_thread": {"user_id": "U1", "channel_id": "D1", "thread_ts": "1.000001"},
    }
    await driver.server.delivery.send(
        Parcel("assistant", "events_api", callback(event, "Ev1"))
    ).taken
    (prompts,) = driver.server.workspace.prompts
    assert (prompts["channel_id"], prompts["thread_ts"]) == ("D1", "1.000001")
    assert len(prompts["prompts"]) == 3


async def test_what_a_person_looks_at_beside_the_assistant_goes_along(own: Stage) -> None:
    driver = driver_of(own)
    where = Where(Spot.DIRECT, "assistant")
    root = await driver.says("ada", where, "(the thread)")
    await own.heard(where)
    place = {"channel_id": own.driver.chat_id(where), "thread_ts": root.partition(":")[2]}
    for number, context in enumerate(({"channel_id": "C0OPS"}, {})):
        event = {
            "type": "assistant_thread_context_changed",
            "assistant_thread": {"user_id": "U1", "context": context, **place},
        }
        parcel = Parcel(f"context-{number}", "events_api", callback(event, "Ev1"))
        await driver.server.delivery.send(parcel).taken
        await driver.says("ada", Where(where.spot, where.name, root), "what is this?")
        quoted = (await own.heard(where)).quoted
        assert quoted == ("[asked while looking at channel C0OPS]" if context else "")


async def test_an_event_of_a_kind_that_is_not_known_is_confirmed(own: Stage) -> None:
    event = {"type": "team_join", "user": {"id": "U1"}}
    parcel = Parcel("unknown", "events_api", callback(event, "Ev1"))
    assert await driver_of(own).server.delivery.send(parcel).taken is None


async def test_files_are_read_from_slack_alone_and_the_token_goes_nowhere_else(own: Stage) -> None:
    driver = driver_of(own)
    where = Where(Spot.DIRECT, "files")
    elsewhere = "https://evil.example/files-pri/F1"
    foreign = {
        "id": "F1", "name": "a.txt", "size": 3, "mode": "hosted", "mimetype": "text/plain",
        "url_private_download": elsewhere, "url_private": elsewhere,
    }  # fmt: skip
    channel = driver.server.workspace.channel(own.driver.chat_id(where))
    message = Message(ts=driver.server.workspace.now_ts(), user="U1", text="see", files=[foreign])
    driver.server.workspace.add(channel, message)
    driver.tell(channel, message)
    heard = await own.heard(where)
    assert heard.files == []
    assert heard.text == "see\n[file 'a.txt' could not be read: it is not stored in Slack]"
    await driver.says("ada", where, "ours", files=[Handed("b.txt", "text/plain", b"abc")])
    assert [file.name for file in (await own.heard(where)).files] == ["b.txt"]
    assert set(driver.server.hosts) == {f"127.0.0.1:{driver.server.port}"}


async def test_a_file_that_is_too_long_does_not_hold_up_its_message(own: Stage) -> None:
    driver = driver_of(own)
    where = Where(Spot.DIRECT, "long")
    data = b"x" * (20 * 2**20 + 1)
    await driver.says("ada", where, "see", files=[Handed("big.bin", "x/y", data)])
    heard = await own.heard(where)
    assert (heard.files, "20 MiB" in heard.text) == ([], True)
