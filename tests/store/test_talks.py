"""Decisions about a conversation, and what is kept of it beside its messages."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sympozium.contract.messages import Choice, Command, FileRef, VisibleError
from sympozium.contract.names import ConversationId, MessageId, RunName, RunUid
from sympozium.contract.run_events import Usage
from sympozium.store.ports import (
    ChannelKey,
    Conversation,
    Cut,
    End,
    Message,
    MessageKey,
    Scene,
    Talk,
    Verdict,
)
from sympozium.store.sql import SqlStore, open_store

NewMessage = Callable[..., Message]
NOW = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
TALK = Conversation("default", "web", ConversationId("c"))


async def test_everything_that_a_decision_changes_is_stored_with_the_message(
    store: SqlStore, new_message: NewMessage
) -> None:
    first = await store.record(new_message(1))
    new = new_message(2)

    def decide(scene: Scene) -> Verdict:
        assert scene == Scene([first], Talk())
        stopped = [replace(one, cut=Cut.STOPPED) for one in scene.open]
        talk = Talk(agent="coder", model="large", since=2, left_at=1)
        return Verdict(replace(new, offered_to=first.id), changed=stopped, talk=talk)

    stored = await store.record(new, decide)
    assert stored.offered_to == first.id
    assert await store.known(first.key) == replace(first, cut=Cut.STOPPED)
    assert await store.talk(TALK) == Talk(agent="coder", model="large", since=2, left_at=1)
    assert await store.record(new) == stored


async def test_a_message_that_is_known_is_not_decided_again(
    store: SqlStore, new_message: NewMessage
) -> None:
    first = await store.record(new_message(1))

    def decide(scene: Scene) -> Verdict:
        raise AssertionError(scene)

    assert await store.record(new_message(1, text="other"), decide) == first


async def test_messages_with_an_end_are_neither_shown_to_decisions_nor_changed_by_them(
    store: SqlStore, new_message: NewMessage
) -> None:
    first, second = [await store.record(new_message(n)) for n in (1, 2)]
    ended = await store.finish(first.key, End(NOW, "answer"))
    seen: list[MessageId] = []

    def revise(open_: Sequence[Message]) -> list[Message]:
        seen.extend(one.id for one in open_)
        return [replace(one, cut=Cut.WITHDRAWN) for one in (first, second)]

    await store.revise(TALK, revise)
    assert seen == [second.id]
    assert await store.known(first.key) == ended
    assert await store.known(second.key) == replace(second, cut=Cut.WITHDRAWN)


@pytest.mark.timeout(90)  # each decision is on the disk before the next one
async def test_two_programs_do_not_decide_the_same_thing_differently(
    store_url: str, new_message: NewMessage
) -> None:
    def take(name: str) -> Callable[[Sequence[Message]], list[Message]]:
        def revise(open_: Sequence[Message]) -> list[Message]:
            free = [one for one in open_ if not one.run_name][:1]
            return [replace(one, run_name=RunName(f"{name}-{one.id}")) for one in free]

        return revise

    async with open_store(store_url) as one, open_store(store_url) as other:
        for n in range(20):
            await one.record(replace(new_message(n + 1), run_name=RunName("")))
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(store.revise(TALK, take(name)))
                for _ in range(10)
                for name, store in (("one", one), ("other", other))
            ]
        taken = [message.id for task in tasks for message in task.result()]
    assert sorted(taken) == sorted(f"m{n + 1}" for n in range(20))


async def test_an_end_is_read_back_as_it_was_noted(
    store: SqlStore, new_message: NewMessage
) -> None:
    message = await store.record(new_message())
    await store.started(message.key, RunUid("uid"))
    end = End(
        time=NOW,
        text="answer \x00 🦊",
        error=VisibleError(code="Quota", message="no"),
        files=(FileRef(id="f", owner="uid", name="a.txt", size_bytes=3, parts=1),),
        choices=(Choice(label="Stop", command=Command(name="stop")),),
        is_private=True,
        is_notice=True,
        answered_with=MessageId("m9"),
        absorbed=(MessageId("m2"), MessageId("m3")),
        usage=Usage(input_tokens=7, output_tokens=2),
    )
    assert (await store.finish(message.key, end)).end == end
    await store.finish((await store.record(new_message(2))).key, replace(end, usage=Usage()))
    await store.finish((await store.record(new_message(3))).key, end)
    assert await store.usage(TALK, since=0) == Usage(input_tokens=14, output_tokens=4)
    assert await store.usage(TALK, since=1) == Usage(input_tokens=7, output_tokens=2)
    assert await store.usage(TALK, since=9) == Usage()


async def test_only_messages_without_an_end_are_waited_for(
    store: SqlStore, new_message: NewMessage
) -> None:
    first, _, third = [await store.record(new_message(n)) for n in (1, 2, 3)]
    assert await store.waiting_before(TALK, third.sequence) == 2
    await store.finish(first.key, End(NOW, "answer"))
    assert await store.waiting_before(TALK, third.sequence) == 1


async def test_a_run_is_known_to_be_its_channels(store: SqlStore, new_message: NewMessage) -> None:
    message = await store.record(new_message())
    await store.started(message.key, RunUid("uid"))
    assert await store.is_run_of(ChannelKey("default", "web"), RunUid("uid"))
    assert not await store.is_run_of(ChannelKey("default", "other"), RunUid("uid"))
    assert not await store.is_run_of(ChannelKey("default", "web"), RunUid(""))


async def test_a_thread_is_left_at_the_latest_message_and_keeps_its_choices(
    store: SqlStore, new_message: NewMessage
) -> None:
    await store.record(new_message(1), lambda _: Verdict(new_message(1), talk=Talk(agent="coder")))
    await store.leave(TALK, 7, now=NOW)
    await store.leave(TALK, 5, now=NOW)
    assert await store.talk(TALK) == Talk(agent="coder", left_at=7)


async def test_a_refusal_is_told_once_and_again_after_a_day(store: SqlStore) -> None:
    async def may_tell(message: str, sender: str = "eve", hours: int = 0) -> bool:
        key = MessageKey("default", "web", MessageId(message))
        moment, day = NOW + timedelta(hours=hours), timedelta(days=1)
        return await store.may_tell(key, sender, now=moment, again_after=day)

    assert await may_tell("m1")
    assert await may_tell("m1")  # it came again
    assert not await may_tell("m2")
    assert await may_tell("m2", "mallory")
    assert await may_tell("m3", hours=25)
    assert not await may_tell("m1", hours=26)


async def test_choices_for_a_conversation_go_with_its_last_message(
    store: SqlStore, new_message: NewMessage
) -> None:
    chosen = Talk(agent="coder")
    message = await store.record(new_message(1), lambda _: Verdict(new_message(1), talk=chosen))
    later = datetime.now(UTC)
    assert await store.prune_talks(unused_since=later, limit=9) == 0
    await store.finish(message.key, End(message.recorded_at, "answer"))
    await store.published(message.key, 1)
    await store.prune(ended_before=later - timedelta(days=2), limit=9)
    assert await store.known(message.key) is None
    assert await store.prune_talks(unused_since=message.recorded_at, limit=9) == 0
    assert await store.prune_talks(unused_since=later, limit=9) == 1
    assert await store.talk(TALK) == Talk()
