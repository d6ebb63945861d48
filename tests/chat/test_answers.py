"""What a person sees of an answer, from the placeholder to the end."""

from sympozium.chat.platform import Mark
from tests.chat.stage import Stage, asked


async def test_a_placeholder_becomes_the_answer(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    await channel.accept(one)
    await platform.until(lambda: platform.texts() == ["…"])
    assert [choice.label for choice in platform.seen()[0].choices] == ["Stop"]
    await channel.finish(one, "two pods")
    await platform.until(lambda: platform.texts() == ["two pods"])
    await channel.settled(2)
    assert platform.seen()[0].choices == ()
    assert platform.seen()[0].author == "helper"
    assert platform.calls.count("post") == 1
    await platform.until(lambda: platform.marks[one.id] == [Mark.RUNNING, Mark.DONE])
