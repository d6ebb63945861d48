"""What the adapter shows in Slack, and what it makes of Slack's refusals."""

import asyncio
from dataclasses import replace

import pytest

from sympozium.chat.errors import (
    AccountRefusedError,
    ChatClosedError,
    MarkupRefusedError,
    PlatformBusyError,
    PostGoneError,
    ThreadGoneError,
)
from sympozium.chat.markup import Piece
from sympozium.chat.platform import Attachment, Growing, Mark, PostId
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.messages import Choice, Command
from sympozium.testing.channels.driver import Fault
from sympozium_slack.capabilities import MAX_SECTION_CHARS
from sympozium_slack.ids import Origin
from sympozium_slack.marks import EMOJI
from tests.platforms.slack.server import Planned
from tests.platforms.slack.sight import seen
from tests.platforms.slack.workspace import TEAM, Message
from tests.slack.given import ADA, PLACEHOLDER, Desk, desk, shown, target


def growing(markdown: str, status: str = "") -> Growing:
    return Growing(markdown=markdown, piece=Piece(text=markdown, plain=markdown), status=status)


def words(at_desk: Desk, message: Message) -> str:
    return seen(at_desk.server.workspace, at_desk.channel, message).text


async def test_a_placeholder_in_a_thread_is_a_stream_with_a_button(at_desk: Desk) -> None:
    await at_desk.platform.post(at_desk.target, PLACEHOLDER, key="k", again=False)
    (placeholder,) = at_desk.own
    assert placeholder.is_streaming
    assert placeholder.thread_ts == at_desk.question.ts
    assert seen(at_desk.server.workspace, at_desk.channel, placeholder).buttons == ("Stop",)


async def test_an_answer_is_streamed_and_its_end_replaces_it(at_desk: Desk) -> None:
    post = await at_desk.platform.post(at_desk.target, PLACEHOLDER, key="k", again=False)
    for text in ("there", "there are", "there are two"):
        await at_desk.platform.grow(at_desk.target, post, growing(text))
    (message,) = at_desk.own
    assert "there are two" in words(at_desk, message)
    await at_desk.platform.edit(at_desk.target, post, shown("**three** pods"))
    assert words(at_desk, message) == "three pods"
    assert not message.is_streaming
    assert at_desk.server.calls["chat.update"] == 1


async def test_an_answer_that_starts_anew_goes_on_in_the_stream(at_desk: Desk) -> None:
    post = await at_desk.platform.post(at_desk.target, PLACEHOLDER, key="k", again=False)
    await at_desk.platform.grow(at_desk.target, post, growing("let me look"))
    await at_desk.platform.grow(at_desk.target, post, growing("two pods", "list_pods"))
    (message,) = at_desk.own
    assert words(at_desk, message) == "list_pods\nlet me look\n\ntwo pods"


async def test_nothing_that_is_streamed_pings_anybody(at_desk: Desk) -> None:
    post = await at_desk.platform.post(at_desk.target, PLACEHOLDER, key="k", again=False)
    for text in ("<", "<!cha", "<!channel> <@U0BOB> @here"):
        await at_desk.platform.grow(at_desk.target, post, growing(text))
    (message,) = at_desk.own
    assert seen(at_desk.server.workspace, at_desk.channel, message).pings == ()


async def test_a_stream_that_slack_closed_goes_on_by_edits(at_desk: Desk) -> None:
    post = await at_desk.platform.post(at_desk.target, PLACEHOLDER, key="k", again=False)
    (message,) = at_desk.own
    message.is_streaming = False
    await at_desk.platform.grow(at_desk.target, post, growing("after five minutes"))
    assert words(at_desk, message) == "after five minutes"
    await at_desk.platform.edit(at_desk.target, post, shown("the end"))
    assert words(at_desk, message) == "the end"


async def test_a_stream_of_an_earlier_process_is_stopped_and_edited(at_desk: Desk) -> None:
    post = await at_desk.platform.post(at_desk.target, PLACEHOLDER, key="k", again=False)
    async with desk() as other:
        other.server.workspace.channels[at_desk.channel.id] = at_desk.channel
        await other.platform.edit(at_desk.target, post, shown("after the crash"))
    (message,) = at_desk.own
    assert words(at_desk, message) == "after the crash"


async def test_a_stream_of_an_earlier_process_grows_on_by_edits(at_desk: Desk) -> None:
    post = await at_desk.platform.post(at_desk.target, PLACEHOLDER, key="k", again=False)
    async with desk() as other:
        other.server.workspace.channels[at_desk.channel.id] = at_desk.channel
        for text in ("so far", "so far, so good"):
            await other.platform.grow(at_desk.target, post, growing(text))
    assert words(at_desk, at_desk.own[0]) == "so far, so good"


async def test_where_nothing_can_be_streamed_the_placeholder_is_a_message(at_desk: Desk) -> None:
    at_desk.server.methods.streams_are_on = False
    for key in ("k1", "k2"):
        await at_desk.platform.post(at_desk.target, PLACEHOLDER, key=key, again=False)
    assert [words(at_desk, message) for message in at_desk.own] == ["\u2026", "\u2026"]
    assert at_desk.server.calls["chat.startStream"] == 1


async def test_streams_are_not_started_beyond_what_slack_allows(at_desk: Desk) -> None:
    for number in range(20):
        await at_desk.platform.post(at_desk.target, PLACEHOLDER, key=f"k{number}", again=False)
    assert at_desk.server.calls["chat.startStream"] == 15
    assert at_desk.server.calls["chat.postMessage"] == 5


@pytest.mark.parametrize("what", [PLACEHOLDER, shown("the answer")])
async def test_a_post_whose_confirmation_was_lost_is_found(at_desk: Desk, what: object) -> None:
    at_desk.server.fail(Planned(Fault.LOST_ANSWER, 1, 1.0))
    with pytest.raises(TransientError):
        await at_desk.platform.post(at_desk.target, what, key="k", again=False)  # type: ignore[arg-type] # pytest's parameters are objects
    post = await at_desk.platform.post(at_desk.target, what, key="k", again=True)  # type: ignore[arg-type] # as above
    await at_desk.platform.edit(at_desk.target, post, shown("the end"))
    assert [words(at_desk, message) for message in at_desk.own] == ["the end"]


async def test_what_was_not_posted_is_posted_the_second_time(at_desk: Desk) -> None:
    await at_desk.platform.post(at_desk.target, shown("other"), key="other", again=False)
    await at_desk.platform.post(at_desk.target, shown("mine"), key="k", again=True)
    assert [words(at_desk, message) for message in at_desk.own] == ["other", "mine"]


async def test_a_direct_chat_is_searched_too() -> None:
    async with desk("D0ADA") as at_desk:
        origin = replace(at_desk.origin, thread="")
        first = await at_desk.platform.post(target(origin), shown("a"), key="k", again=False)
        again = await at_desk.platform.post(target(origin), shown("a"), key="k", again=True)
        assert first == again
        assert [message.thread_ts for message in at_desk.own] == [""]


async def test_markup_that_is_refused_can_be_said_in_plain_words(at_desk: Desk) -> None:
    at_desk.server.fail(Planned(Fault.MARKUP, 1, 1.0))
    answer = shown("**a** <!channel> & b")
    with pytest.raises(MarkupRefusedError):
        await at_desk.platform.post(at_desk.target, answer, key="k", again=False)
    plain = replace(answer, is_plain=True)
    await at_desk.platform.post(at_desk.target, plain, key="k", again=False)
    one = seen(at_desk.server.workspace, at_desk.channel, at_desk.own[0])
    assert (one.has_markup, one.pings) == (False, ())


async def test_the_longest_piece_is_taken(at_desk: Desk) -> None:
    text = "x" * MAX_SECTION_CHARS
    answer = replace(shown("x"), piece=Piece(text=text, plain=text))
    await at_desk.platform.post(at_desk.target, answer, key="k", again=False)
    assert words(at_desk, at_desk.own[0]) == text


def many(count: int, argument: str = "small") -> tuple[Choice, ...]:
    return tuple(
        Choice(label=f"Use {number}", command=Command(name="model", arguments=argument))
        for number in range(count)
    )


@pytest.mark.parametrize(
    ("count", "argument", "kinds"),
    [(5, "a", {"button"}), (60, "a", {"static_select"}), (60, "a" * 500, {"button"})],
)
async def test_many_choices_are_a_menu_where_they_fit_one(
    at_desk: Desk, count: int, argument: str, kinds: set[str]
) -> None:
    answer = replace(shown("which?"), choices=many(count, argument))
    await at_desk.platform.post(at_desk.target, answer, key="k", again=False)
    (message,) = at_desk.own
    blocks = [block for block in message.blocks if block["type"] == "actions"]
    assert {element["type"] for block in blocks for element in block["elements"]} == kinds
    one = seen(at_desk.server.workspace, at_desk.channel, message)
    assert len(one.buttons) == count


async def test_an_answer_carries_its_agents_name(at_desk: Desk) -> None:
    answer = replace(shown("hi"), author="cluster-reader")
    await at_desk.platform.post(at_desk.target, answer, key="k", again=False)
    assert at_desk.own[0].username == "cluster-reader"


async def test_without_the_right_to_a_name_it_is_said_in_the_apps_own(at_desk: Desk) -> None:
    at_desk.server.workspace.scopes.discard("chat:write.customize")
    answer = replace(shown("hi"), author="cluster-reader")
    for key in ("k1", "k2"):
        await at_desk.platform.post(at_desk.target, answer, key=key, again=False)
    assert [message.username for message in at_desk.own] == ["", ""]
    assert at_desk.server.calls["chat.postMessage"] == 3


async def test_what_is_private_is_seen_by_one_person(at_desk: Desk) -> None:
    answer = replace(shown("only you"), is_private=True)
    post = await at_desk.platform.post(at_desk.target, answer, key="k", again=False)
    assert at_desk.own[0].only_for == ADA
    with pytest.raises(PostGoneError):
        await at_desk.platform.edit(at_desk.target, post, shown("x"))


async def test_a_command_is_answered_where_the_bot_is_no_member(at_desk: Desk) -> None:
    at_desk.channel.has_bot = False
    answer = replace(shown("this is help"), is_private=True)
    with pytest.raises(ChatClosedError):
        await at_desk.platform.post(at_desk.target, answer, key="k", again=False)
    url = "https://hooks.slack.com/commands/x"
    at_desk.response_urls.keep(at_desk.target.message_id, url)
    await at_desk.platform.post(at_desk.target, answer, key="k", again=False)
    (said,) = at_desk.server.delivery.answered
    assert (said["response_type"], said["text"]) == ("ephemeral", "this is help")


async def test_there_is_one_reaction_at_a_time(at_desk: Desk) -> None:
    for mark in (Mark.HELD, Mark.STORED, Mark.RUNNING, Mark.RUNNING, Mark.DONE):
        await at_desk.platform.mark(at_desk.target, mark)
        assert [name for name, _ in at_desk.question.reactions] == [EMOJI[mark]]
    await at_desk.platform.mark(at_desk.target, Mark.NONE)
    assert at_desk.question.reactions == []


async def test_reactions_of_an_earlier_process_are_taken_away(at_desk: Desk) -> None:
    await at_desk.platform.mark(at_desk.target, Mark.RUNNING)
    async with desk() as other:
        other.server.workspace.channels[at_desk.channel.id] = at_desk.channel
        await other.platform.mark(at_desk.target, Mark.DONE)
    assert [name for name, _ in at_desk.question.reactions] == [EMOJI[Mark.DONE]]


async def test_that_a_message_was_not_stored_yet_is_taken_back_by_a_later_process(
    at_desk: Desk,
) -> None:
    await at_desk.platform.mark(at_desk.target, Mark.HELD)
    async with desk() as other:
        other.server.workspace.channels[at_desk.channel.id] = at_desk.channel
        await other.platform.mark(at_desk.target, Mark.STORED)
    assert [name for name, _ in at_desk.question.reactions] == [EMOJI[Mark.STORED]]


async def test_a_file_is_sent_into_the_thread_once(at_desk: Desk) -> None:
    file = Attachment(name="pods.txt", media_type="text/plain", data=b"pod a")
    at_desk.server.fail(Planned(Fault.LOST_ANSWER, 1, 1.0))
    with pytest.raises(TransientError):
        await at_desk.platform.upload(at_desk.target, file, key="f", again=False)
    await at_desk.platform.upload(at_desk.target, file, key="f", again=True)
    (message,) = at_desk.own
    assert message.thread_ts == at_desk.question.ts
    assert at_desk.server.workspace.bytes[message.files[0]["id"]] == b"pod a"


async def test_a_status_line_stands_in_assistant_threads_until_the_answer() -> None:
    async with desk("D0ADA") as at_desk:
        place = ("D0ADA", at_desk.question.ts)
        post = await at_desk.platform.post(at_desk.target, shown("x"), key="k", again=False)
        await at_desk.platform.signal(at_desk.target, "list_pods")
        assert "list_pods" in at_desk.server.workspace.statuses[place]
        await at_desk.platform.edit(at_desk.target, post, shown("two pods"))
        assert at_desk.server.workspace.statuses[place] == ""


async def test_channels_have_no_status_line(at_desk: Desk) -> None:
    await at_desk.platform.signal(at_desk.target, "list_pods")
    assert at_desk.server.workspace.statuses == {}


async def test_a_removed_post_is_gone_and_that_it_was_gone_is_fine(at_desk: Desk) -> None:
    post = await at_desk.platform.post(at_desk.target, PLACEHOLDER, key="k", again=False)
    await at_desk.platform.remove(at_desk.target, post)
    assert at_desk.own == []
    await at_desk.platform.remove(at_desk.target, post)


async def test_a_chat_without_its_thread_can_be_written_in(at_desk: Desk) -> None:
    gone = Origin(at_desk.channel.id, at_desk.question.ts, "1.000001", ADA, TEAM)
    with pytest.raises(ThreadGoneError):
        await at_desk.platform.post(target(gone), shown("x"), key="k", again=False)
    in_chat = replace(target(gone), in_chat=True)
    await at_desk.platform.post(in_chat, shown("x"), key="k", again=False)
    assert at_desk.own[0].thread_ts == ""


async def test_an_archived_channel_is_closed_with_a_reason(at_desk: Desk) -> None:
    at_desk.channel.is_archived = True
    with pytest.raises(ChatClosedError) as caught:
        await at_desk.platform.post(at_desk.target, shown("x"), key="k", again=False)
    assert caught.value.reason == "ChannelArchived"


async def test_a_revoked_token_is_an_account_refused(at_desk: Desk) -> None:
    at_desk.server.bot_token = "xoxb-another"
    with pytest.raises(AccountRefusedError) as caught:
        await at_desk.platform.post(at_desk.target, shown("x"), key="k", again=False)
    assert caught.value.reason == "TokenRefused"


async def test_a_post_that_is_gone_is_said_to_be(at_desk: Desk) -> None:
    with pytest.raises(PostGoneError):
        await at_desk.platform.edit(at_desk.target, PostId("m:1.000001:x"), shown("x"))


async def test_a_post_of_something_else_is_refused(at_desk: Desk) -> None:
    with pytest.raises(PermanentError):
        await at_desk.platform.edit(at_desk.target, PostId("never"), shown("x"))


async def test_nothing_is_called_while_slack_asks_to_wait(at_desk: Desk) -> None:
    at_desk.server.fail(Planned(Fault.BUSY, 1, 30.0))
    for _ in range(3):
        with pytest.raises(PlatformBusyError) as caught:
            await at_desk.platform.post(at_desk.target, shown("x"), key="k", again=False)
        assert 29.0 < caught.value.retry_after_s <= 30.0
    assert at_desk.server.counts.calls_in_penalty == 0
    assert at_desk.server.calls["chat.postMessage"] == 1


async def test_what_could_not_be_streamed_is_streamed_later(at_desk: Desk) -> None:
    post = await at_desk.platform.post(at_desk.target, PLACEHOLDER, key="k", again=False)
    at_desk.server.fail(Planned(Fault.BUSY, 1, 1.0, frozenset({"chat.appendStream"})))
    await at_desk.platform.grow(at_desk.target, post, growing("there are"))
    assert "there are" not in words(at_desk, at_desk.own[0])
    async with asyncio.timeout(10):
        while "two pods" not in words(at_desk, at_desk.own[0]):
            await asyncio.sleep(0.05)
            await at_desk.platform.grow(at_desk.target, post, growing("there are two pods"))
    assert words(at_desk, at_desk.own[0]).count("there are") == 1
    assert at_desk.server.counts.calls_in_penalty == 0


async def test_growing_answers_leave_edits_for_ends(at_desk: Desk) -> None:
    at_desk.server.methods.streams_are_on = False
    post = await at_desk.platform.post(at_desk.target, PLACEHOLDER, key="k", again=False)
    for number in range(60):
        await at_desk.platform.grow(at_desk.target, post, growing(f"state {number}"))
    await at_desk.platform.edit(at_desk.target, post, shown("the end"))
    assert words(at_desk, at_desk.own[0]) == "the end"
    assert at_desk.server.calls["chat.update"] == 31


async def test_that_reactions_must_wait_does_not_hold_up_answers(at_desk: Desk) -> None:
    at_desk.server.fail(Planned(Fault.BUSY, 1, 30.0, frozenset({"reactions.add"})))
    with pytest.raises(TransientError) as caught:
        await at_desk.platform.mark(at_desk.target, Mark.RUNNING)
    assert not isinstance(caught.value, PlatformBusyError)


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.RESET])
async def test_slack_being_away_is_transient(at_desk: Desk, fault: Fault) -> None:
    at_desk.server.fail(Planned(fault, 1, 1.0))
    with pytest.raises(TransientError):
        await at_desk.platform.post(at_desk.target, shown("x"), key="k", again=False)
    assert at_desk.own == []
