"""From Slack's events to messages."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sympozium.chat.gate import Triggers
from sympozium.contract.messages import Command, InboundKind
from sympozium_slack.events import UnreadableError
from sympozium_slack.ids import Origin, read_origin
from sympozium_slack.reading import read_message
from sympozium_slack.words import plain
from tests.platforms.slack.workspace import BOT_ID, BOT_USER, TEAM
from tests.slack.given import ADA, CHANNEL, DIRECT, ME, THREAD, TS, heard, mention, post, reading


def test_a_mention_is_one_message_whichever_of_its_two_events_tells_of_it() -> None:
    told = heard(mention()).message
    assert told == heard(mention() | {"type": "app_mention"}).message
    assert told.message_id == f"slack:{TEAM}:{CHANNEL}:{TS}"
    assert told.conversation == f"{TEAM}:{CHANNEL}:{TS}"
    assert (told.text, told.addressed, told.place.thread) == ("hello", True, "")


def test_calling_the_bot_and_saying_nothing_asks_for_help() -> None:
    assert heard(mention("")).message.command == Command(name="help")
    assert heard(mention("", thread_ts=THREAD)).message.command is None


def test_a_message_that_names_nobody_is_not_read_outside_of_threads() -> None:
    assert reading(post(text="good morning")) is None


def test_a_message_in_a_thread_may_be_meant() -> None:
    told = heard(post(text="and now?", thread_ts=THREAD)).message
    assert (told.addressed, told.conversation) == (False, f"{TEAM}:{CHANNEL}:{THREAD}")
    assert told.place.thread == THREAD
    assert reading(post(text="x", thread_ts=THREAD), Triggers(follow_threads=False)) is None


def test_a_direct_chat_is_one_conversation_and_its_threads_are_their_own() -> None:
    assert heard(post(text="hi", channel=DIRECT)).message.conversation == f"{TEAM}:{DIRECT}"
    threaded = heard(post(text="hi", channel=DIRECT, thread_ts=THREAD)).message
    assert threaded.conversation == f"{TEAM}:{DIRECT}:{THREAD}"
    assert read_origin(threaded.reply_to).thread == THREAD


@pytest.mark.parametrize(
    "event",
    [
        mention(user=BOT_USER),
        mention(user="", bot_id=BOT_ID),
        mention(user="", bot_id="B0OTHER", subtype="bot_message"),
        mention(subtype="channel_join"),
        mention(subtype="message_replied"),
    ],
)
def test_our_own_echo_other_bots_and_notices_are_not_read(event: dict[str, Any]) -> None:
    assert reading(event) is None


def test_a_bot_that_is_named_is_heard_when_it_mentions_us() -> None:
    triggers = Triggers(bots={"B0ALERT"})
    told = heard(mention("look", bot_id="B0ALERT", subtype="bot_message", user=""), triggers)
    assert told.message.sender.user_id == "B0ALERT"
    assert reading(post(text="x", bot_id="B0ALERT", thread_ts=THREAD), triggers) is None


def test_an_alert_without_text_is_read_from_its_attachments() -> None:
    event = post(
        bot_id="B0ALERT",
        subtype="bot_message",
        blocks=[{"type": "section", "text": {"type": "mrkdwn", "text": f"<@{BOT_USER}> DiskFull"}}],
        attachments=[
            {"title": "node-1", "text": "97 &gt; 90 %", "fields": [{"title": "ns", "value": "db"}]}
        ],
    )
    told = heard(event, Triggers(bots={"B0ALERT"})).message
    assert told.quoted.splitlines() == [f"<@{BOT_USER}> DiskFull", "node-1", "97 > 90 %", "ns: db"]


def test_a_mention_in_somebody_elses_thread_wants_to_know_what_it_hangs_on() -> None:
    assert heard(mention("look", thread_ts=THREAD)).wants_root
    assert not heard(mention("look")).wants_root


def test_a_person_of_another_workspace_is_a_sender_of_that_workspace() -> None:
    told = heard(mention(user_team="T0OTHER")).message
    assert (told.sender.workspace, read_origin(told.reply_to).team) == ("T0OTHER", "T0OTHER")
    assert told.message_id.startswith(f"slack:{TEAM}:")


def test_naming_others_is_noted() -> None:
    assert not heard(mention()).message.mentions_others
    assert heard(mention("ask <@U0BOB>")).message.mentions_others
    assert heard(mention("<!here> look")).message.mentions_others


@pytest.mark.parametrize("where", [{"channel": DIRECT}, {"thread_ts": THREAD}])
def test_a_word_after_an_exclamation_mark_is_a_command(where: dict[str, str]) -> None:
    told = heard(post(text="!model small", **where)).message
    assert (told.kind, told.command) == (
        InboundKind.COMMAND,
        Command(name="model", arguments="small"),
    )
    assert told.addressed


def test_a_command_of_other_bots_in_the_open_channel_is_not_ours() -> None:
    assert reading(post(text="!status")) is None


def test_an_edit_names_what_it_changes() -> None:
    before = mention("delete pod a")
    now = mention("delete pod b", edited={"user": ADA, "ts": "1721609700.000000"})
    event = post(subtype="message_changed", message=now, previous_message=before)
    told = heard(event).message
    assert told.kind is InboundKind.EDIT
    assert (told.target, told.text) == (f"slack:{TEAM}:{CHANNEL}:{TS}", "delete pod b")
    assert told.message_id == f"{told.target}:edit:1721609700.000000"
    assert told.conversation == heard(before).message.conversation


def test_an_edit_that_takes_the_mention_away_is_still_one() -> None:
    now = post(text="never mind", edited={"user": ADA, "ts": "1721609700.000000"})
    event = post(subtype="message_changed", message=now, previous_message=mention("do it"))
    assert heard(event).message.text == "never mind"


def test_what_slack_changes_by_itself_is_no_edit() -> None:
    unfolded = mention("see https://x", attachments=[{"title": "X"}])
    event = post(
        subtype="message_changed", message=unfolded, previous_message=mention("see https://x")
    )
    assert reading(event) is None


@pytest.mark.parametrize(
    "event",
    [
        post(subtype="message_deleted", deleted_ts=TS, previous_message=mention("x")),
        post(
            subtype="message_changed",
            message=post(subtype="tombstone", user="USLACKBOT"),
            previous_message=mention("x"),
        ),
    ],
)
def test_a_deletion_names_what_is_gone(event: dict[str, Any]) -> None:
    told = heard(event).message
    assert (told.kind, told.target) == (InboundKind.DELETE, f"slack:{TEAM}:{CHANNEL}:{TS}")


def test_links_and_names_are_read_as_they_are_seen() -> None:
    written = "see <https://a.b|the page> and <https://c.d> &lt;b&gt; <#C1|ops> <!here> <@U1|ada>"
    assert plain(written) == "see the page (https://a.b) and https://c.d <b> #ops @here <@U1>"


ids = st.text(alphabet="ABCDEFGHUTD0123456789.", min_size=1, max_size=20)


@given(channel=ids, ts=ids, thread=ids, user=ids, team=ids)
def test_where_to_answer_survives_the_way_through_the_system(
    channel: str, ts: str, thread: str, user: str, team: str
) -> None:
    origin = Origin(channel, ts, thread, user, team)
    assert read_origin(origin.written()) == origin


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "user", "files", "ts", "blocks"]), inner)
    ),
    max_leaves=8,
)
fields = st.sampled_from(
    ["subtype", "channel", "text", "ts", "user", "files", "blocks", "attachments", "message",
     "previous_message", "edited", "thread_ts", "bot_id", "team"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(changes=st.dictionaries(fields, values, max_size=4))
def test_an_event_is_read_or_refused_and_never_anything_else(changes: dict[str, Any]) -> None:
    event = json.dumps(mention() | changes).encode()
    with suppress(UnreadableError):
        read_message(event, ME, Triggers(every_message=True, bots={"B0"}))


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_event_are_refused(data: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_message(data + b"\xff", ME, Triggers())


def test_an_event_of_a_thousand_levels_is_refused_or_read_but_stops_nothing() -> None:
    deep = "[" * 5000 + "]" * 5000
    event = json.dumps(mention())[:-1] + f', "blocks": {deep}}}'
    with pytest.raises(UnreadableError):
        read_message(event.encode(), ME, Triggers())
