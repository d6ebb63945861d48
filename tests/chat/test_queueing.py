"""A person whose message nobody can begin with sees that it is not forgotten."""

from sympozium.contract.envelope import encode
from sympozium.contract.queued import Queued
from sympozium.contract.subjects import queued
from tests.chat.stage import CHANNEL, NAMESPACE, Asked, Stage, asked, listened


async def wait(channel: Stage, *messages: Asked) -> None:
    """Have a router say that it holds messages."""
    await listened(channel)
    for one in messages:
        waits = Queued(
            message_id=one.id, conversation=one.conversation, reply_to=one.target.reply_to
        )
        await channel.bus.send(queued(NAMESPACE, CHANNEL), encode(waits))


async def test_a_placeholder_says_queued_until_somebody_works_and_the_answer_replaces_it(
    channel: Stage,
) -> None:
    one, platform = asked("m1"), channel.platform
    await wait(channel, one)
    await platform.until(lambda: platform.texts() == ["queued"])
    await wait(channel, one)
    await channel.accept(one)
    await platform.until(lambda: platform.texts() == ["working"])
    await channel.finish(one, "three pods")
    await platform.until(lambda: platform.texts() == ["three pods"])
    await channel.settled(2)
    assert platform.texts() == ["three pods"]


async def test_what_is_refused_or_dropped_at_last_takes_its_placeholder_along(
    channel: Stage,
) -> None:
    one, other, platform = asked("m1", "c1"), asked("m2", "c2"), channel.platform
    await wait(channel, one, other)
    await platform.until(lambda: platform.texts() == ["queued", "queued"])
    await channel.fail(one, "No.")
    await channel.drops(other)
    await channel.settled(2)
    assert platform.texts() == ["No."]


async def test_only_the_first_message_of_a_conversation_has_a_placeholder(
    channel: Stage,
) -> None:
    first, second, elsewhere = asked("m1", "c1"), asked("m2", "c1"), asked("m3", "c2")
    platform = channel.platform
    await wait(channel, first, second, elsewhere)
    await platform.until(lambda: platform.texts() == ["queued", "queued"])
    for one in (first, second, elsewhere):
        await channel.finish(one, f"answer to {one.id}")
    await channel.settled(3)
    said = sorted(platform.texts())
    assert said == ["answer to m1", "answer to m2", "answer to m3"]


async def test_a_message_behind_a_run_at_work_gets_no_placeholder(channel: Stage) -> None:
    first, second, elsewhere = asked("m1", "c1"), asked("m2", "c1"), asked("m3", "c2")
    platform = channel.platform
    await channel.accept(first)
    await channel.settled(1)
    await listened(channel)
    await wait(channel, second, elsewhere)
    await platform.until(lambda: "queued" in platform.texts())
    assert sorted(platform.texts()) == ["queued", "…"]


async def test_while_no_note_can_be_kept_only_what_this_program_took_in_is_shown(
    channel: Stage,
) -> None:
    ours, unknown, platform = asked("m1", "c1"), asked("m2", "c2"), channel.platform
    channel.office.marks.stored(ours.target)
    channel.desk.is_away = True
    await wait(channel, unknown, ours)
    await platform.until(lambda: platform.texts() == ["queued"])
    await channel.desk.until(lambda: channel.desk.refused >= 2)
    assert [seen.answers for seen in platform.seen()] == [ours.id]
    channel.desk.is_away = False
    await channel.finish(ours, "an answer")
    await channel.finish(unknown, "another")
    await channel.settled(2)
    assert platform.texts() == ["an answer", "another"]


async def test_an_answered_message_is_not_said_to_wait(channel: Stage) -> None:
    one, later, platform = asked("m1", "c1"), asked("m2", "c2"), channel.platform
    await channel.finish(one, "done")
    await channel.settled(1)
    await wait(channel, one, later)
    await platform.until(lambda: "queued" in platform.texts())
    assert platform.texts() == ["done", "queued"]
