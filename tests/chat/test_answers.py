"""What a person sees of an answer, from the placeholder to the end."""

from dataclasses import replace

import pytest

from sympozium.chat.platform import Mark
from sympozium.contract.messages import Choice, Command
from tests.chat.stage import Stage, asked, listened
from tests.chat.stand_in import CAPABILITIES, StandIn


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


async def test_a_message_that_waits_has_no_placeholder_until_its_run_says_something(
    channel: Stage,
) -> None:
    one, platform = asked("m1"), channel.platform
    await channel.accept(one, waiting_for=2)
    await channel.settled(1)
    assert platform.texts() == []
    assert platform.marks[one.id] == []
    await listened(channel)
    await channel.begins(one)
    await platform.until(lambda: len(platform.texts()) == 1)
    await platform.until(lambda: platform.marks[one.id] == [Mark.RUNNING])
    await channel.finish(one, "two pods")
    await platform.until(lambda: platform.texts() == ["two pods"])


async def test_an_answer_without_a_placeholder_is_posted(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    await channel.finish(one, "no run was needed", is_notice=True)
    await platform.until(lambda: platform.texts() == ["no run was needed"])
    await channel.settled(1)
    assert platform.seen()[0].author == ""
    assert platform.marks[one.id] == []


async def test_an_error_is_said_literally_and_marked(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    await channel.accept(one)
    await channel.fail(one, "It took too long. (run-m1)")
    await platform.until(lambda: platform.texts() == ["It took too long. (run-m1)"])
    await platform.until(lambda: platform.marks[one.id][-1:] == [Mark.FAILED])


async def test_a_blank_answer_is_visible(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    await channel.accept(one)
    await channel.finish(one, " \n\t")
    await platform.until(lambda: platform.texts() == ["The answer is empty. (run-m1)"])


async def test_an_answer_that_renders_to_nothing_is_visible(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    await channel.finish(one, "[nothing]: https://example.com")
    await platform.until(lambda: platform.texts() == ["The answer is empty. (run-m1)"])


async def test_further_pieces_follow_in_order(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    words = [f"word{number}" for number in range(60)]
    await channel.accept(one)
    await channel.finish(one, " ".join(words))
    await channel.settled(2)
    assert " ".join(platform.texts()).split() == words
    assert len(platform.texts()) > 1
    assert platform.calls.count("post") == len(platform.texts())


async def test_choices_stand_under_the_last_piece(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    choice = Choice(label="Fast", command=Command(name="model", arguments="fast"))
    await channel.finish(one, "word " * 80, choices=[choice], is_notice=True)
    await channel.settled(1)
    shown = [seen.choices for seen in platform.seen()]
    assert shown == [()] * (len(shown) - 1) + [(choice,)]


async def test_a_message_that_was_joined_loses_its_placeholder(channel: Stage) -> None:
    one, other, platform = asked("m1"), asked("m2"), channel.platform
    await channel.accept(one)
    await channel.accept(other)
    await platform.until(lambda: len(platform.texts()) == 2)
    await channel.joins(one, other)
    await channel.finish(other, "both")
    await platform.until(lambda: platform.texts() == ["both"])
    await platform.until(lambda: platform.marks[one.id][-1:] == [Mark.DONE])


async def test_a_message_that_was_dropped_leaves_nothing(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    channel.office.marks.stored(one.target)
    await platform.until(lambda: platform.marks[one.id] == [Mark.STORED])
    await channel.accept(one)
    await platform.until(lambda: len(platform.texts()) == 1)
    await channel.drops(one)
    await channel.settled(2)
    assert platform.texts() == []
    await platform.until(lambda: platform.marks[one.id][-1:] == [Mark.NONE])


async def test_a_private_answer_is_for_its_sender_alone(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    await channel.finish(one, "for you", is_private=True, is_notice=True)
    await channel.settled(1)
    assert [(seen.text, seen.is_private) for seen in platform.seen()] == [("for you", True)]


async def test_a_private_answer_takes_a_public_placeholder_away(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    await channel.accept(one)
    await channel.finish(one, "for you", is_private=True)
    await channel.settled(2)
    assert [(seen.text, seen.is_private) for seen in platform.seen()] == [("for you", True)]


class TestWhereThePlatformCanDoLittle:
    """A platform without edits, buttons, files, reactions and private messages."""

    @pytest.fixture
    def platform(self) -> StandIn:
        little = replace(
            CAPABILITIES,
            can_edit=False,
            can_mark=False,
            has_choices=False,
            has_private=False,
            max_file_bytes=0,
            signal_every_s=0.0,
        )
        return StandIn(little)

    async def test_only_the_end_is_shown(self, channel: Stage) -> None:
        one, platform = asked("m1"), channel.platform
        await channel.accept(one)
        await channel.settled(1)
        await listened(channel)
        await channel.writes(one, "two")
        await channel.finish(one, "two pods")
        await channel.settled(2)
        assert platform.texts() == ["two pods"]
        assert platform.calls == ["post"]

    async def test_choices_are_written_out_as_commands(self, channel: Stage) -> None:
        choice = Choice(label="Fast", command=Command(name="model", arguments="fast"))
        one, platform = asked("m1"), channel.platform
        await channel.finish(one, "Which?", choices=[choice], is_private=True)
        await channel.settled(1)
        assert platform.texts() == ["Which?\n\nFast: !model fast"]

    async def test_a_long_answer_is_shown_whole_where_no_file_can_be_sent(
        self, channel: Stage
    ) -> None:
        one, platform = asked("m1"), channel.platform
        words = [f"word{number}" for number in range(400)]
        await channel.finish(one, " ".join(words))
        await channel.settled(1)
        assert " ".join(platform.texts()).split() == words


class TestWhereEarlierPostsCannotBeFound:
    """A platform that does not recognise a repetition, and so is given placeholders first."""

    @pytest.fixture
    def platform(self) -> StandIn:
        return StandIn(replace(CAPABILITIES, finds_posts=False))

    async def test_every_piece_is_noted_before_it_has_words(self, channel: Stage) -> None:
        one, platform = asked("m1"), channel.platform
        words = [f"word{number}" for number in range(60)]
        await channel.finish(one, " ".join(words))
        await channel.settled(1)
        assert " ".join(platform.texts()).split() == words
        assert platform.calls.count("post") == platform.calls.count("edit") == len(platform.texts())


class TestAnAnswerBeyondAllMeasure:
    """A long answer is its beginning and a file."""

    async def test_it_is_its_beginning_and_a_file(self, channel: Stage) -> None:
        one, platform = asked("m1"), channel.platform
        text = "\n\n".join(f"paragraph {number} " + "x" * 50 for number in range(3000))
        await channel.accept(one)
        await channel.finish(one, text)
        await channel.settled(2)
        *pieces, note, file = platform.seen()
        assert len(pieces) == CAPABILITIES.max_pieces - 1
        assert pieces[0].text.startswith("paragraph 0 ")
        assert note.text == "… The whole answer is in the file that follows."
        assert (file.text, file.file) == ("answer.md", text.encode())

    async def test_choices_are_not_lost_with_its_end(self, channel: Stage) -> None:
        one, platform = asked("m1"), channel.platform
        choice = Choice(label="Again", command=Command(name="new"))
        await channel.finish(one, "word " * 500, choices=[choice])
        await channel.settled(1)
        assert [seen.choices for seen in platform.seen() if seen.choices] == [(choice,)]
