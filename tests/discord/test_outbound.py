"""What a call of Discord comes to: shown once, or one of the errors that the common code knows."""

from collections.abc import AsyncIterator

import pytest

from sympozium.chat.errors import (
    AccountRefusedError,
    ChatClosedError,
    MarkupRefusedError,
    PlatformBusyError,
    PostGoneError,
    ThreadGoneError,
)
from sympozium.chat.platform import Attachment, Growing, Mark, PostId
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.testing.channels.driver import Fault, Spot, Where
from sympozium_discord.library import Route
from sympozium_discord.marks import Reactions
from sympozium_discord.reply_to import read_reply_to
from tests.discord.adapters import Adapter, adapter, shown


@pytest.fixture
async def here() -> AsyncIterator[Adapter]:
    async with adapter() as made:
        yield made


def texts(here: Adapter) -> list[str]:
    ours = here.discord.world.bot
    return [
        message["content"]
        for room in here.discord.world.rooms.values()
        for message in room.messages.values()
        if message["author"]["id"] == ours
    ]


async def test_the_same_key_posts_once_and_says_the_newest_text(here: Adapter) -> None:
    target = here.asked(here.discord.world.channel("pods"))
    first = await here.platform.post(target, shown("\u2026"), key="k", again=False)
    second = await here.platform.post(target, shown("two"), key="k", again=False)
    assert first == second
    assert texts(here) == ["two"]


async def test_what_was_posted_is_found_without_its_nonce(here: Adapter) -> None:
    room = here.discord.world.channel("pods")
    one, other = here.asked(room), here.asked(room)
    first = await here.platform.post(one, shown("two"), key="one", again=False)
    await here.platform.post(other, shown("two"), key="other", again=False)
    for known in here.discord.world.rooms.values():
        known.nonces.clear()
    assert await here.platform.post(one, shown("two"), key="one", again=True) == first
    assert texts(here) == ["two", "two"]


async def test_a_file_that_was_sent_is_not_sent_again(here: Adapter) -> None:
    target = here.asked(here.discord.world.channel("pods"))
    file = Attachment("pods.txt", "text/plain", b"pod a")
    await here.platform.upload(target, file, key="k", again=False)
    for room in here.discord.world.rooms.values():
        room.nonces.clear()
    await here.platform.upload(target, file, key="k", again=True)
    assert texts(here) == [""]


@pytest.mark.parametrize("name", ['a "b".txt', "a\r\nX: y.txt", "ü/../b.txt", "..", ""])
async def test_a_file_of_any_name_is_sent(here: Adapter, name: str) -> None:
    target = here.asked(here.discord.world.channel("pods"))
    file = Attachment(name, "text/plain\r\nX: y", b"pod a")
    await here.platform.upload(target, file, key="k", again=False)
    await here.platform.upload(target, file, key="another", again=True)
    assert texts(here) == [""]


async def test_an_api_that_does_not_answer_is_transient(
    here: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sympozium_discord.rest.CALL_TIMEOUT_S", 0.05)
    here.discord.api.is_hung = True
    with pytest.raises(TransientError):
        await here.rest.call(Route("GET", "/users/@me"))


async def test_an_answer_that_is_not_discords_is_transient(here: Adapter) -> None:
    target = here.asked(here.discord.world.channel("pods"))
    here.discord.api.is_no_api = True
    with pytest.raises(TransientError):
        await here.platform.post(target, shown("two"), key="k", again=False)


async def test_a_lost_answer_is_transient_and_the_repetition_shows_nothing_new(
    here: Adapter,
) -> None:
    target = here.asked(here.discord.world.channel("pods"))
    here.discord.fail(Fault.LOST_ANSWER)
    with pytest.raises(TransientError):
        await here.platform.post(target, shown("two"), key="k", again=False)
    await here.platform.post(target, shown("two"), key="k", again=True)
    assert texts(here) == ["two"]


async def test_a_busy_chat_is_not_called_before_its_time(here: Adapter) -> None:
    target = here.asked(here.discord.world.channel("pods"))
    post = await here.platform.post(target, shown("one"), key="k", again=False)
    here.discord.fail(Fault.BUSY, retry_after_s=30.0)
    with pytest.raises(PlatformBusyError) as refused:
        await here.platform.edit(target, post, shown("two"))
    assert (refused.value.retry_after_s, refused.value.is_overall) == (30.0, False)
    with pytest.raises(PlatformBusyError):
        await here.platform.edit(target, post, shown("two"))
    assert here.discord.counts.calls_in_penalty == 0


async def test_a_limit_that_the_headers_tell_is_not_run_into(here: Adapter) -> None:
    limits = here.discord.api.limits
    limits.by_route["POST /channels/{room}/messages"] = (3, 30.0)
    target = here.asked(here.discord.world.channel("pods"))
    for number in range(3):
        await here.platform.post(target, shown(str(number)), key=str(number), again=False)
    with pytest.raises(PlatformBusyError):
        await here.platform.post(target, shown("3"), key="3", again=False)
    other = here.asked(here.discord.world.channel("another"))
    await here.platform.post(other, shown("elsewhere"), key="e", again=False)
    assert limits.exceeded == 0


async def test_a_short_limit_is_waited_out(here: Adapter) -> None:
    limits = here.discord.api.limits
    limits.by_route["PUT /channels/{room}/messages/{message}/reactions/{emoji}/@me"] = (1, 0.05)
    room = here.discord.world.channel("pods")
    for _ in range(5):
        await here.platform.mark(here.asked(room), Mark.DONE)
    assert limits.exceeded == 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.BROKEN, TransientError),
        (Fault.RESET, TransientError),
        (Fault.GONE, ChatClosedError),
        (Fault.REVOKED, AccountRefusedError),
    ],
)
async def test_a_refusal_is_one_that_the_common_code_knows(
    here: Adapter, fault: Fault, error: type[Exception]
) -> None:
    target = here.asked(here.discord.world.channel("pods"))
    here.discord.fail(fault)
    with pytest.raises(error):
        await here.platform.post(target, shown("two"), key="k", again=False)
    assert texts(here) == []


async def test_a_text_that_discord_does_not_take_is_refused_as_markup(here: Adapter) -> None:
    target = here.asked(here.discord.world.channel("pods"))
    with pytest.raises(MarkupRefusedError):
        await here.platform.post(target, shown("x" * 2001), key="k", again=False)


async def test_a_post_that_is_gone_cannot_be_changed_and_can_be_removed(here: Adapter) -> None:
    target = here.asked(here.discord.world.channel("pods"))
    post = await here.platform.post(target, shown("one"), key="k", again=False)
    await here.platform.remove(target, post)
    with pytest.raises(PostGoneError):
        await here.platform.edit(target, post, shown("two"))
    await here.platform.remove(target, post)


async def test_a_deleted_thread_is_gone_and_its_channel_is_not(here: Adapter) -> None:
    room = here.discord.world.channel("pods")
    target = here.asked(room)
    post = await here.platform.post(target, shown("one"), key="k", again=False)
    del here.discord.world.rooms[post.partition("/")[0]]
    with pytest.raises(ThreadGoneError):
        await here.platform.edit(target, post, shown("two"))


async def test_a_channel_that_the_bot_was_shut_out_of_is_closed(here: Adapter) -> None:
    room = here.discord.world.channel("pods")
    target = here.asked(room)
    room.is_closed = True
    with pytest.raises(ChatClosedError) as refused:
        await here.platform.signal(target, "")
    assert refused.value.reason == "MissingAccess"


async def test_a_reaction_takes_the_place_of_the_one_before(here: Adapter) -> None:
    target = here.asked(here.discord.world.channel("pods"))
    message = target.message_id.removeprefix("discord:")
    for mark in (Mark.HELD, Mark.STORED, Mark.RUNNING, Mark.DONE):
        await here.platform.mark(target, mark)
        assert here.discord.mark(message) is mark
        assert len(here.discord.world.reactions[message]) == 1
    await here.platform.mark(target, Mark.NONE)
    assert here.discord.mark(message) is Mark.NONE


async def test_that_a_message_was_not_stored_yet_is_taken_back_by_a_later_process(
    here: Adapter,
) -> None:
    target = here.asked(here.discord.world.channel("pods"))
    message = target.message_id.removeprefix("discord:")
    await here.platform.mark(target, Mark.HELD)
    later = Reactions(here.rest)
    await later.show(read_reply_to(target.reply_to), Mark.STORED)
    assert here.discord.mark(message) is Mark.STORED


async def test_typing_is_shown_where_the_answer_goes(here: Adapter) -> None:
    target = here.asked(here.discord.world.channel("pods"))
    await here.platform.post(target, shown("\u2026"), key="k", again=False)
    await here.platform.signal(target, "reading")
    assert here.discord.world.typings == [target.message_id.removeprefix("discord:")]


async def test_a_growing_answer_is_an_edit(here: Adapter) -> None:
    target = here.asked(here.discord.world.channel("pods"))
    post = await here.platform.post(target, shown("\u2026"), key="k", again=False)
    await here.platform.grow(target, post, Growing("two po", shown("two po").piece))
    assert texts(here) == ["two po"]


async def test_what_is_being_done_is_on_a_card_until_the_end(here: Adapter) -> None:
    room = here.discord.world.channel("pods")
    target = here.asked(room)
    post = await here.platform.post(target, shown("\u2026"), key="k", again=False)
    growing = Growing("two **pods**", shown("unused").piece, status="list_pods, 10 s")
    await here.platform.grow(target, post, growing)
    where = Where(Spot.CHANNEL, "pods")
    assert [one.text for one in here.discord.seen(where)] == ["two pods\nlist_pods, 10 s"]
    await here.platform.edit(target, post, shown("two pods"))
    assert [one.text for one in here.discord.seen(where)] == ["two pods"]


async def test_where_the_bot_may_not_show_cards_it_says_it_in_words(here: Adapter) -> None:
    room = here.discord.world.channel("pods")
    target = here.asked(room)
    post = await here.platform.post(target, shown("\u2026"), key="k", again=False)
    here.discord.world.rooms[post.partition("/")[0]].allows_cards = False
    growing = Growing("", shown("list_pods").piece, status="list_pods")
    await here.platform.grow(target, post, growing)
    await here.platform.grow(target, post, growing)
    assert texts(here) == ["list_pods"]


async def test_a_reference_that_is_not_this_channels_own_is_refused(here: Adapter) -> None:
    target = here.asked(here.discord.world.channel("pods"))
    forged = type(target)(target.conversation, target.message_id, "t:../../users:1")
    with pytest.raises(PermanentError):
        await here.platform.edit(forged, PostId("@1"), shown("two"))


async def test_the_token_is_in_no_error(here: Adapter) -> None:
    async with adapter(token="wrong.token.secret") as other:
        with pytest.raises(AccountRefusedError) as refused:
            await other.rest.call(Route("GET", "/users/@me"))
    assert "wrong.token.secret" not in str(refused.value) + repr(refused.value.__cause__)
