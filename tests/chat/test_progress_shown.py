"""What a person sees while a run works, and that the end replaces all of it."""

import asyncio
from dataclasses import replace

import pytest

from sympozium.chat.errors import ChatClosedError, PlatformBusyError, PostGoneError
from sympozium.chat.outbox.draft import Draft
from sympozium.chat.outbox.progress import Sight
from sympozium.contract.errors import TransientError
from sympozium.contract.names import RunName
from sympozium.contract.run_events import Delta, Progress
from tests.chat.stage import Asked, Stage, asked, listened
from tests.chat.stand_in import CAPABILITIES, StandIn


async def at_work(channel: Stage, name: str = "m1") -> Asked:
    one = asked(name)
    await channel.accept(one)
    await channel.settled(1)
    await listened(channel)
    return one


async def test_the_answer_grows_in_the_placeholder(channel: Stage) -> None:
    one, platform = await at_work(channel), channel.platform
    await channel.writes(one, "two ")
    await platform.until(lambda: platform.texts() == ["two"])
    await channel.writes(one, "pods", offset=4)
    await platform.until(lambda: platform.texts() == ["two pods"])
    assert [choice.label for choice in platform.seen()[0].choices] == ["Stop"]
    await channel.finish(one, "three pods")
    await platform.until(lambda: platform.texts() == ["three pods"])
    await channel.settled(2)
    assert len(platform.texts()) == 1


async def test_a_tool_at_work_is_named_until_it_ends(channel: Stage) -> None:
    one, platform = await at_work(channel), channel.platform
    await channel.works(one, "cluster-reader")
    await platform.until(lambda: platform.texts() == ["cluster-reader"])
    await channel.writes(one, "I looked")
    await platform.until(lambda: platform.texts() == ["I looked\n\n*cluster-reader*"])
    await channel.works(one, "cluster-reader", "done")
    await platform.until(lambda: platform.texts() == ["I looked"])


async def test_who_waits_for_capacity_sees_how_many_come_first_until_work_begins(
    channel: Stage,
) -> None:
    one, platform = await at_work(channel), channel.platform
    await channel.waits(one, 3, for_capacity=True)
    await platform.until(lambda: platform.texts() == ["waiting for capacity: 3 before you"])
    await channel.waits(one, 0, for_capacity=True)
    await platform.until(lambda: platform.texts() == ["waiting for capacity"])
    await channel.begins(one)
    await platform.until(lambda: platform.texts() == ["working"])
    await channel.finish(one)
    await platform.until(lambda: platform.texts() == ["the answer"])


async def test_typing_is_shown_while_a_run_works(channel: Stage) -> None:
    one, platform = await at_work(channel), channel.platform
    await platform.until(lambda: platform.signals == ["working"])
    await channel.finish(one)
    await channel.settled(2)
    assert platform.signals == ["working"]


async def test_a_growing_answer_that_is_too_long_shows_its_newest_part(channel: Stage) -> None:
    one, platform = await at_work(channel), channel.platform
    await channel.writes(one, " ".join(f"word{number}" for number in range(500)))
    await platform.until(lambda: platform.texts()[0].endswith("word499"))
    assert platform.texts()[0].startswith("…")


async def test_a_preview_that_arrives_after_the_end_does_not_stay(
    channel: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sympozium.chat.outbox.ending.LATE_S", 0.2)
    one, platform = await at_work(channel), channel.platform
    platform.be_late("grow")
    await channel.writes(one, "an old state")
    await platform.until(lambda: "grow" in platform.calls)
    await channel.finish(one, "the end")
    await platform.until(lambda: platform.texts() == ["the end"])
    platform.arrive()
    assert platform.texts() == ["an old state"]
    await channel.finish(asked("m2"), "another end")
    await platform.until(lambda: platform.texts() == ["the end", "another end"])


async def test_the_end_waits_for_a_preview_that_is_being_sent(channel: Stage) -> None:
    one, platform = await at_work(channel), channel.platform
    gate = platform.block("grow")
    await channel.writes(one, "an old state")
    await platform.until(lambda: "grow" in platform.calls)
    await channel.finish(one, "the end")
    other = asked("other", "c2")
    await channel.finish(other, "elsewhere")
    await platform.until(lambda: platform.texts("c2") == ["elsewhere"])
    assert platform.texts("c1") == ["…"]
    gate.set()
    await channel.settled(3)
    assert platform.texts("c1") == ["the end"]


async def test_a_chat_where_typing_is_refused_is_not_asked_again(channel: Stage) -> None:
    platform = channel.platform
    platform.fail("signal", ChatClosedError("cannot type: forbidden", reason="NoRight"))
    one = await at_work(channel)
    await platform.until(lambda: "signal" in platform.calls)
    await channel.finish(one, "the end")
    two = asked("m2")
    await channel.accept(two)
    await channel.finish(two, "the second end")
    await channel.settled(4)
    assert platform.texts() == ["the end", "the second end"]
    assert platform.calls.count("signal") == 1


async def test_a_placeholder_that_somebody_deleted_is_left_alone_until_the_end(
    channel: Stage,
) -> None:
    one, platform = await at_work(channel), channel.platform
    platform.delete("c1")
    await channel.writes(one, "growing")
    await platform.until(lambda: "grow" in platform.calls)
    await channel.writes(one, " on", offset=7)
    await channel.finish(one, "the end")
    await channel.settled(2)
    assert platform.texts() == ["the end"]
    assert platform.calls.count("grow") == 1


async def test_a_preview_that_fails_stops_nothing(channel: Stage) -> None:
    one, platform = await at_work(channel), channel.platform
    platform.fail("grow", TransientError("away"), times=2)
    platform.fail("grow", RuntimeError("a bug of the adapter"))
    await channel.writes(one, "growing")
    await platform.until(lambda: platform.calls.count("grow") == 3)
    platform.fail("edit", PostGoneError("gone"))
    await channel.finish(one, "the end")
    await platform.until(lambda: "the end" in platform.texts())


async def test_a_restarted_channel_shows_progress_again(channel: Stage) -> None:
    one, platform = await at_work(channel), channel.platform
    await channel.crash()
    channel.start()
    while platform.texts() != ["two pods"]:
        await channel.writes(one, "two pods")
        await asyncio.sleep(0.02)
    await channel.finish(one, "three pods")
    await platform.until(lambda: platform.texts() == ["three pods"])
    await channel.settled(2)
    assert not [key for key in channel.desk.notes if key.startswith("follow:")]


async def test_one_chat_without_room_does_not_hold_the_end(channel: Stage) -> None:
    one, platform = await at_work(channel), channel.platform
    platform.fail("grow", PlatformBusyError("busy", retry_after_s=0.3))
    await channel.writes(one, "growing")
    await platform.until(lambda: "grow" in platform.calls)
    await channel.finish(one, "the end")
    await platform.until(lambda: platform.texts() == ["the end"])
    assert platform.calls_in_penalty == 0


def test_work_that_takes_long_has_a_clock() -> None:
    sight = Sight(RunName("run-1"), 100.0)
    assert sight.status(105.0) == "working"
    assert sight.status(117.0) == "working, 10 s"
    sight.apply(Progress(call_id="1", tool="reader", state="started"), 120.0)
    assert sight.status(121.0) == "reader"
    assert sight.status(155.0) == "reader, 30 s"
    assert sight.status(320.0) == "reader, 3 min"
    sight.apply(Progress(call_id="1", tool="reader", state="done"), 321.0)
    sight.apply(Delta(text="words", offset=0), 322.0)
    assert sight.status(330.0) == ""


def test_a_name_of_a_tool_is_no_markup() -> None:
    sight = Sight(RunName("run-1"), 0.0)
    sight.apply(Progress(call_id="1", tool="*list_pods*", state="started"), 0.0)
    growing = sight.look(1.0, replace(CAPABILITIES, has_choices=False))
    assert growing.piece.plain == "*list_pods*"
    assert growing.piece.text != "*list_pods*"
    assert growing.choices == ()


def test_a_draft_puts_pieces_where_they_belong() -> None:
    draft = Draft()
    for text, offset in (("two ", 0), ("pods", 4), ("nodes", 4), (" run", 9)):
        draft.apply(Delta(text=text, offset=offset))
    assert draft.text == "two nodes run"
    draft.apply(Delta(text="anew", offset=0))
    assert draft.text == "anew"
    draft.apply(Delta(text="later", offset=100))
    assert (draft.text, draft.offset) == ("later", 100)


def test_an_answer_whose_beginning_was_missed_says_so() -> None:
    sight = Sight(RunName("run-1"), 0.0)
    sight.apply(Delta(text="and then", offset=100), 0.0)
    assert sight.look(0.0, CAPABILITIES).piece.text == "… and then"


def test_what_every_platform_shows_of_progress_fits_its_limit() -> None:
    sight = Sight(RunName("run-1"), 0.0)
    sight.apply(Delta(text="```python\n" + "x = 1\n" * 1000, offset=0), 0.0)
    sight.apply(Progress(call_id="1", tool="reader", state="started"), 0.0)
    platform = StandIn()
    assert len(sight.look(99.0, platform.capabilities).piece.text) <= 200
