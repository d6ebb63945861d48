"""Killed anywhere, a channel shows every answer once, whole, in order."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.chat.errors import PlatformBusyError
from sympozium.contract.messages import FileRef
from sympozium.contract.names import MessageId
from sympozium.contract.subjects import file_part
from tests.chat.stage import NAMESPACE, Stage, asked, listened, stage
from tests.chat.stand_in import CAPABILITIES, StandIn

WORDS = [f"word{number}" for number in range(60)]
STEPS = 24
"""More than there are: the last ones are answered without a crash."""


class Blocked:
    """Stops the answer to message `m<n>` for ever at its *n*-th step."""

    def __init__(self) -> None:
        self.counts: Counter[MessageId] = Counter()
        self.reached = asyncio.Semaphore(0)
        self.released = asyncio.Event()

    async def step(self, message_id: MessageId) -> None:
        self.counts[message_id] += 1
        if self.counts[message_id] == int(message_id.removeprefix("m")):
            self.reached.release()
            await self.released.wait()


async def stored_file(bus: NatsBus) -> FileRef:
    await bus.publish(file_part(NAMESPACE, "uid-1", "f1", 0), b"pods", message_id="f1")
    return FileRef(id="f1", owner="uid-1", name="pods.txt", size_bytes=4, parts=1)


@pytest.mark.parametrize("finds_posts", [True, False])
@pytest.mark.timeout(60)
async def test_a_crash_at_any_step_shows_one_answer(bus: NatsBus, finds_posts: bool) -> None:
    platform = StandIn(replace(CAPABILITIES, finds_posts=finds_posts))
    all_of_them = [asked(f"m{number}", f"c{number}:t") for number in range(1, STEPS + 1)]
    async with stage(bus, platform) as channel:
        blocked = Blocked()
        channel.desk.step = platform.step = blocked.step
        file = await stored_file(bus)
        for one in all_of_them:
            await channel.accept(one)
        for one in all_of_them:
            await channel.finish(one, " ".join(WORDS), files=[file])
        for _ in range(16 if finds_posts else 20):
            await blocked.reached.acquire()
        await channel.crash()
        channel.desk.step = platform.step = None
        blocked.released.set()
        channel.start()
        await channel.settled(2 * STEPS)
        for one in all_of_them:
            chat = one.conversation.partition(":")[0]
            seen = platform.texts(chat)
            if not finds_posts:  # nobody can know of these; words and their order are right
                seen = [text for text in seen if text not in ("…", "pods.txt")] + ["pods.txt"]
            assert " ".join(seen).split() == [*WORDS, "pods.txt"], f"crash at step {one.id}"
        assert await channel.dead_letters() == []


async def test_an_answer_is_not_shown_before_an_earlier_one_that_a_killed_channel_held(
    channel: Stage,
) -> None:
    first, second, platform = asked("m1"), asked("m2"), channel.platform
    await channel.accept(first)
    await channel.accept(second, waiting_for=1)
    await channel.settled(2)
    gate = platform.block("edit")
    await channel.finish(first, "first")
    await platform.until(lambda: "edit" in platform.calls)
    await channel.crash()
    gate.set()
    channel.start()
    await channel.finish(second, "second")
    other = asked("other", "c2")
    await channel.finish(other, "elsewhere")
    await platform.until(lambda: platform.texts("c2") == ["elsewhere"])
    assert "second" not in platform.texts() or "first" in platform.texts()
    await channel.settled(5)
    assert platform.texts("c1") == ["first", "second"]


async def test_the_beginning_of_an_answer_is_not_taken_for_a_run_at_work(channel: Stage) -> None:
    one, other, platform = asked("m1"), asked("m2", "c2"), channel.platform
    await channel.accept(one)
    await channel.accept(other)
    await channel.settled(2)
    gate = platform.block("post")
    await channel.finish(one, " ".join(WORDS))
    await platform.until(lambda: platform.calls.count("post") == 3)  # of the second piece
    (beginning,) = platform.texts("c1")
    await channel.crash()
    gate.set()
    tried = channel.desk.hold("tried:")
    channel.start()
    while platform.texts("c2") != ["so far"]:  # nothing tells when it begins to listen
        for each in (one, other):
            await channel.writes(each, "so far")
        await asyncio.sleep(0.05)
    assert platform.texts("c1") == [beginning]
    tried.set()
    await channel.settled(3)
    assert " ".join(platform.texts("c1")).split() == WORDS


async def test_an_end_that_comes_again_is_not_shown_again(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    await channel.accept(one)
    await channel.finish(one, "once")
    await channel.settled(2)
    platform.delete("c1")
    await channel.crash()
    await channel.say_again(one, "once")
    channel.start()
    await channel.settled(3)
    assert platform.texts() == []


async def test_a_channel_that_is_asked_to_stop_gives_back_what_it_holds(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    await channel.accept(one)
    await channel.settled(1)
    platform.fail("edit", PlatformBusyError("busy", retry_after_s=1.0))
    await channel.finish(one, "the answer")
    await platform.until(lambda: "edit" in platform.calls)
    await channel.stop()
    assert platform.texts() == ["…"] or platform.texts() == ["the answer"]
    channel.start()
    await channel.settled(2)
    assert platform.texts() == ["the answer"]
    assert platform.calls_in_penalty == 0


async def test_answers_of_a_conversation_come_in_order_and_others_do_not_wait(
    channel: Stage,
) -> None:
    platform, other = channel.platform, asked("other", "c2")
    mine = [asked(f"m{number}") for number in range(10)]
    is_shown_elsewhere = asyncio.Event()

    async def step(message_id: MessageId) -> None:
        if message_id != other.id:  # however long the other takes, ours take longer
            await is_shown_elsewhere.wait()

    platform.step = step
    platform.fail("post", PlatformBusyError("busy", retry_after_s=2.0))
    for one in mine:
        await channel.finish(one, f"answer {one.id}")
    await platform.until(lambda: "post" in platform.calls)
    await channel.finish(other, "elsewhere")
    await platform.until(lambda: platform.texts("c2") == ["elsewhere"])
    assert platform.texts("c1") == []
    is_shown_elsewhere.set()
    await channel.settled(11)
    assert platform.texts("c1") == [f"answer {one.id}" for one in mine]
    assert platform.calls_in_penalty == 0


async def test_a_penalty_outlives_the_channel_that_earned_it(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    await channel.accept(one)
    await channel.settled(1)
    platform.fail("edit", PlatformBusyError("busy", retry_after_s=6.0))
    await channel.finish(one, "the answer")
    await channel.desk.until(lambda: "busy:chat:c1" in channel.desk.notes)
    await channel.crash()
    channel.start()
    await channel.settled(2)
    assert platform.texts() == ["the answer"]
    assert platform.calls_in_penalty == 0
    await channel.crash()
    channel.start()
    await channel.desk.until(lambda: "busy:chat:c1" not in channel.desk.notes)


async def test_a_placeholder_that_was_posted_late_and_not_noted_becomes_the_answer(
    channel: Stage,
) -> None:
    one, platform = asked("m1"), channel.platform
    await channel.accept(one, waiting_for=1)
    await channel.settled(1)
    await listened(channel)
    blocked = asyncio.Event()

    async def step(_message_id: MessageId) -> None:
        await blocked.wait()

    channel.desk.step = step
    await channel.begins(one)
    await platform.until(lambda: platform.texts() == ["…"])
    await channel.crash()
    channel.desk.step = None
    blocked.set()
    channel.desk.notes["post:m1"] = "{}"
    channel.start()
    await channel.finish(one, "once")
    await channel.settled(2)
    assert platform.texts() == ["once"]


async def test_the_run_of_an_answer_that_was_shown_while_the_router_was_away_is_not_followed_again(
    channel: Stage,
) -> None:
    one, platform, desk = asked("m1"), channel.platform, channel.desk
    await channel.accept(one)
    await channel.settled(1)
    gate = platform.block("edit")
    await channel.finish(one, "the answer")
    await platform.until(lambda: "edit" in platform.calls)
    assert "follow:m1" in desk.notes
    desk.is_away = True
    gate.set()
    await desk.until(lambda: desk.refused > 0)
    desk.is_away = False
    await channel.settled(2)
    assert platform.texts("c1") == ["the answer"]
    assert "follow:m1" not in desk.notes
