"""What a platform refuses, for a while or for good, and that nobody else suffers for it."""

import asyncio

import pytest

from sympozium.chat.errors import (
    AccountRefusedError,
    ChatClosedError,
    MarkupRefusedError,
    PostGoneError,
    ThreadGoneError,
)
from sympozium.chat.platform import Mark
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.messages import Choice, Command, OutboundKind
from sympozium.contract.names import short_hash
from sympozium.contract.subjects import outbox
from tests.chat.stage import CHANNEL, NAMESPACE, Stage, asked, listened, replace_kind

CLOSED = ChatClosedError("cannot post: the bot was removed; invite it", reason="BotRemoved")
SOON_S = 0.1
REVOKED = AccountRefusedError("cannot post: the token was revoked", reason="TokenRevoked")


async def test_a_post_whose_answer_was_lost_is_found_and_not_posted_twice(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    platform.fail("post", TransientError("no answer"), times=2, is_done=True)
    await channel.finish(one, "once")
    await channel.settled(1)
    assert platform.texts() == ["once"]
    assert platform.calls.count("post") == 3


async def test_a_placeholder_whose_answer_was_lost_becomes_the_answer(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    platform.fail("post", TransientError("no answer"), is_done=True)
    await channel.accept(one)
    await channel.finish(one, "once")
    await channel.settled(2)
    assert platform.texts() == ["once"]


async def test_a_placeholder_that_cannot_be_posted_holds_nothing(
    channel: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sympozium.chat.outbox.opening.PATIENCE_S", 0.2)
    one, platform = asked("m1"), channel.platform
    platform.fail("post", TransientError("away"), times=1)
    platform.fail("post", TransientError("no answer"), times=1, is_done=True)
    await channel.accept(one)
    await channel.settled(1)
    await channel.finish(one, "once")
    await channel.settled(2)
    assert platform.texts() == ["once"]


@pytest.mark.parametrize("dies", [False, True], ids=["it lives on", "it dies between them"])
async def test_an_answer_that_has_no_placeholder_stands_above_the_next_one(
    channel: Stage, dies: bool
) -> None:
    one, two, platform = asked("m1"), asked("m2"), channel.platform
    platform.fail("post", PermanentError("not now"))
    await channel.accept(one)
    await channel.accept(two, waiting_for=1)
    await channel.settled(2)
    if dies:
        await channel.crash()
        channel.start()
    await listened(channel)
    while not platform.marks[two.id]:
        await channel.begins(two)
        await asyncio.sleep(SOON_S)
    await channel.writes(two, "it grows")
    await asyncio.sleep(SOON_S)
    assert platform.texts() == []
    await channel.finish(one, "the first")
    await platform.until(lambda: platform.texts() == ["the first", "it grows"])
    await channel.finish(two, "the second")
    await platform.until(lambda: platform.texts() == ["the first", "the second"])


async def test_a_call_without_an_answer_is_made_again(
    channel: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sympozium.chat.outbox.voice.CALL_TIMEOUT_S", 0.1)
    one, platform = asked("m1"), channel.platform
    gate = platform.block("post")
    await channel.finish(one, "once")
    await platform.until(lambda: platform.calls.count("post") == 2)
    gate.set()
    await channel.settled(1)
    assert platform.texts() == ["once"]


async def test_an_edit_that_fails_is_done_again(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    platform.fail("edit", TransientError("away"), times=3)
    await channel.accept(one)
    await channel.finish(one, "once")
    await channel.settled(2)
    assert platform.texts() == ["once"]


async def test_markup_that_is_refused_is_shown_plain(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    platform.fail("edit", MarkupRefusedError("cannot read it"))
    await channel.accept(one)
    await channel.finish(one, "this is **bold**")
    await channel.settled(2)
    assert platform.texts() == ["this is bold"]


async def test_a_placeholder_that_is_gone_is_replaced_by_a_new_message(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    await channel.accept(one)
    await channel.settled(1)
    platform.delete("c1")
    await channel.finish(one, "still here")
    await channel.settled(2)
    assert platform.texts() == ["still here"]


async def test_a_placeholder_too_old_to_edit_is_left_and_the_answer_posted(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    platform.fail("edit", PostGoneError("too old"))
    await channel.accept(one)
    await channel.finish(one, "still here")
    await channel.settled(2)
    assert platform.texts() == ["…", "still here"]


async def test_an_answer_whose_thread_is_gone_is_said_in_the_chat_once(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    await channel.accept(one)
    await channel.settled(1)
    platform.gone_threads.add(one.conversation)
    platform.delete("c1")
    await channel.finish(one, "word " * 60)
    await channel.settled(2)
    assert {seen.thread for seen in platform.seen()} == {""}
    assert " ".join(platform.texts()).split() == ["word"] * 60
    assert await channel.dead_letters() == []


async def test_a_chat_that_is_closed_ends_in_the_dead_letters(channel: Stage) -> None:
    one, other, platform = asked("m1"), asked("m2", "c2"), channel.platform
    platform.fail("post", CLOSED)
    await channel.finish(one, "never seen")
    await channel.desk.until(lambda: "BotRemoved" in channel.desk.said())
    report = channel.desk.reports[-1]
    assert (report.is_connected, report.message) == (False, str(CLOSED))
    await channel.finish(other, "seen")
    await channel.settled(2)
    assert platform.texts() == ["seen"]
    assert len(await channel.dead_letters()) == 1
    await platform.until(lambda: platform.marks[one.id][-1:] == [Mark.FAILED])
    await channel.desk.until(lambda: channel.desk.said()[-2:] == ["BotRemoved", "Connected"])


async def test_a_chat_that_loses_its_thread_and_itself_ends_in_the_dead_letters(
    channel: Stage,
) -> None:
    one, platform = asked("m1"), channel.platform
    platform.fail("post", ThreadGoneError("cannot post: no such thread"), times=2)
    await channel.finish(one, "never seen")
    await channel.settled(1)
    assert len(await channel.dead_letters()) == 1


async def test_a_revoked_token_is_tried_again_after_a_pause(
    channel: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sympozium.chat.outbox.breaker.FIRST_PAUSE_S", 0.3)
    platform = channel.platform
    platform.fail("post", REVOKED, times=2)
    await channel.finish(asked("m0", "c0"), "answer 0")
    await channel.desk.until(lambda: "TokenRevoked" in channel.desk.said())
    for number in range(1, 4):
        await channel.finish(asked(f"m{number}", f"c{number}"), f"answer {number}")
    await channel.settled(4)
    assert len(platform.texts()) == len(await channel.dead_letters()) == 2
    assert platform.calls.count("post") == 4
    await channel.desk.until(lambda: channel.desk.said()[-2:] == ["TokenRevoked", "Connected"])


async def test_an_answer_that_the_platform_will_not_show_is_replaced_by_a_sentence(
    channel: Stage,
) -> None:
    one, platform = asked("m1"), channel.platform
    await channel.accept(one)
    platform.fail("edit", PermanentError("cannot edit: the content is not allowed"))
    await channel.finish(one, "something that is not allowed")
    await channel.settled(2)
    (seen,) = platform.seen()
    assert seen.text.startswith("There is an answer, but it cannot be shown here.")
    assert "run-m1" in seen.text
    again = Command(name="retry", arguments=short_hash(one.id))
    assert seen.choices == (Choice(label="Send again", command=again),)
    await channel.desk.until(lambda: "AnswerRefused" in channel.desk.said())
    assert len(await channel.dead_letters()) == 1


async def test_where_no_run_was_its_reference_is_said_and_never_an_id_of_the_platform(
    channel: Stage,
) -> None:
    refused, blank, bare = (
        asked("slack:T1:C1:1.1"),
        asked("slack:T1:C1:2.1"),
        asked("slack:T1:C1:3"),
    )
    channel.platform.fail("post", PermanentError("cannot post: the content is not allowed"))
    await channel.finish(refused, "something that is not allowed", run_name="")
    await channel.settled(1)
    await channel.finish(blank, " ", run_name="")
    await channel.settled(2)
    await channel.say(replace_kind(bare, OutboundKind.ERROR, run_name=""))
    await channel.settled(3)
    for one, text in zip((refused, blank, bare), channel.platform.texts(), strict=True):
        assert text.endswith(f" ({short_hash(one.id)})")
        assert one.id not in text


async def test_a_bug_of_an_adapter_sets_one_answer_aside_and_no_other(channel: Stage) -> None:
    one, other, platform = asked("m1"), asked("m2", "c2"), channel.platform
    platform.fail("post", KeyError("a bug"), times=6)
    await channel.finish(one, "never seen")
    await channel.settled(1)
    await channel.finish(other, "seen")
    await channel.settled(2)
    assert "seen" in platform.texts()
    assert len(await channel.dead_letters()) == 1


async def test_what_is_no_message_is_set_aside(channel: Stage) -> None:
    await channel.bus.publish(outbox(NAMESPACE, CHANNEL), b"{", message_id="broken")
    await channel.finish(asked("m1"), "seen")
    await channel.settled(2)
    assert channel.platform.texts() == ["seen"]
    assert await channel.dead_letters() == [b"{"]


async def test_a_router_that_is_away_delays_an_answer_and_does_not_double_it(
    channel: Stage,
) -> None:
    one, platform = asked("m1"), channel.platform
    await channel.accept(one)
    await channel.settled(1)
    channel.desk.is_away = True
    await channel.finish(one, "once")
    await platform.until(lambda: platform.texts() == ["once"])
    channel.desk.is_away = False
    await channel.settled(2)
    assert platform.texts() == ["once"]
