"""Bodies that come over HTTP, at the boundary of each channel.

Whatever a channel makes of one, the router can read: what is taken is not lost behind.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote_plus

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sympozium.chat.gate import Triggers
from sympozium.chat.intake import fitted
from sympozium.contract.envelope import wrap
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import InboundMessage
from sympozium.contract.names import ConversationId, MessageId, web_message_id
from sympozium_router.inbox.letters import read_letter
from sympozium_slack.events import Callback, Typed, UnreadableError
from sympozium_slack.events import read as read_slack
from sympozium_slack.forms import QUESTION_BLOCK
from sympozium_slack.interactions import Interaction, chosen, field_of
from sympozium_slack.questions import about_of
from sympozium_slack.reading import read_message
from sympozium_telegram.inbound import event_of
from sympozium_telegram.inbound import message_of as telegram_message
from sympozium_telegram.reading import Edited, NewMessage
from sympozium_telegram.reading import read as read_telegram
from sympozium_telegram.updates import chat_number, read_update, update_number
from sympozium_telegram.webhook import decoded
from sympozium_web.inbound import message_of, read_posted
from sympozium_web.refusals import RequestRefusedError
from tests.fuzz.hostile import as_json, hostile_bytes
from tests.platforms.slack.delivery import callback
from tests.slack.given import ME as SLACK_ME
from tests.slack.given import mention as slack_mention
from tests.slack.given import post as slack_post
from tests.telegram.given import ADA, GROUP, PRIVATE, TOPIC, command, entity, mention, message
from tests.telegram.given import ME as TELEGRAM_ME

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EVERYTHING = Triggers(every_message=True)

web_bodies = hostile_bytes([b'{"text": "which pods run here?"}', b'{"text": "/stop", "id": "a-1"}'])

SLACK_FILE = {"id": "F1", "name": "a.txt", "mimetype": "text/plain", "size": 5, "mode": "hosted"}
SLACK_EVENTS = [
    slack_mention("hello", thread_ts="1721609500.000100", files=[SLACK_FILE]),
    slack_post(channel="D0ADA", text="!model m", user_profile={"display_name": "Ada"}),
    slack_post(
        subtype="message_changed",
        message=slack_mention("better", edited={"user": "U0ADA", "ts": "1721609700.000100"}),
        previous_message=slack_mention("good"),
    ),
    slack_post(
        subtype="message_deleted",
        deleted_ts="1721609600.000100",
        previous_message=slack_mention("gone"),
    ),
    slack_post(
        bot_id="B1",
        subtype="bot_message",
        attachments=[{"fallback": "an alert", "text": "disk full", "fields": [{"value": "99 %"}]}],
        blocks=[{"type": "section", "text": {"type": "mrkdwn", "text": "x"}}],
    ),
]
SLACK_BODIES = [as_json(callback(event, "Ev1")) for event in SLACK_EVENTS]
slack_bodies = hostile_bytes(SLACK_BODIES)
INTERACTIONS = [
    {
        "type": "block_actions",
        "user": {"id": "U0ADA", "username": "ada", "team_id": "T1"},
        "team": {"id": "T1"},
        "trigger_id": "1.2.3",
        "channel": {"id": "C1"},
        "container": {"type": "message", "channel_id": "C1", "thread_ts": "1.2"},
        "message": slack_mention("hello", attachments=[{"fallback": "x"}]),
        "actions": [
            {"action_id": "sympozium_choice_0", "value": '{"name":"stop"}'},
            {
                "action_id": "sympozium_choice_1",
                "selected_option": {"value": '{"name":"model","arguments":"m"}'},
            },
        ],
    },
    {
        "type": "view_submission",
        "user": {"id": "U0ADA"},
        "view": {
            "id": "V1",
            "callback_id": "sympozium_ask",
            "private_metadata": '{"quoted":"x"}',
            "state": {"values": {QUESTION_BLOCK: {QUESTION_BLOCK: {"value": "which?"}}}},
        },
    },
]
interactions = hostile_bytes([as_json(one) for one in INTERACTIONS])

PHOTO = [{"file_id": "p1", "file_size": 100, "width": 9, "height": 9}]
UPDATES: list[dict[str, Any]] = [
    {"message": mention("@sympozium_test_bot which pods?", reply_to_message=message("earlier"))},
    {"message": command("/model@sympozium_test_bot m", PRIVATE)},
    {"message": message("", PRIVATE, photo=PHOTO, caption="look", caption_entities=[])},
    {"message": message("hi", GROUP, **TOPIC, forward_origin={"type": "user", "sender_user": ADA})},
    {
        "message": message(
            "see link", PRIVATE, entities=[entity("see link", "link", "text_link", url="x")]
        )
    },
    {"edited_message": mention("@sympozium_test_bot better", edit_date=1_760_000_100)},
    {"callback_query": {"id": "q", "from": ADA, "data": "c:1", "message": message("pick")}},
]
TELEGRAM_BODIES = [
    as_json({"update_id": 100_000 + number, **one}) for number, one in enumerate(UPDATES)
]
telegram_bodies = hostile_bytes(TELEGRAM_BODIES)


@given(body=web_bodies)
def test_a_web_message_is_refused_or_a_letter_that_the_router_can_read(body: bytes) -> None:
    try:
        posted = read_posted(body)
    except RequestRefusedError:
        return
    conversation = ConversationId("c")
    message_id = web_message_id("default", "web", conversation, posted.client_id)
    require_good(message_of(posted, conversation, message_id, time=NOW), "web")


@given(body=slack_bodies)
def test_a_slack_event_is_refused_or_a_letter_that_the_router_can_read(body: bytes) -> None:
    with refusals():
        event = read_slack(body, Callback).event
        read_slack(event, Typed)
        reading = read_message(event, SLACK_ME, EVERYTHING)
        if reading is not None and reading.message.text.strip():
            require_good(reading.message, "slack")


@given(body=interactions)
def test_a_press_or_a_form_of_slack_is_read_or_refused(body: bytes) -> None:
    with refusals():
        interaction = read_slack(body, Interaction)
        about_of(interaction)
        for action in interaction.actions:
            chosen(action)
        if interaction.view is not None:
            field_of(interaction.view, QUESTION_BLOCK)


@given(body=interactions, name=st.sampled_from(["payload", "command", "ssl_check", "\ud800"]))
def test_a_form_of_slack_is_text_or_none(body: bytes, name: str) -> None:
    form = f"{quote_plus(name, errors='replace')}={quote_plus(body)}".encode()
    with refusals():
        fields = parse_qs(form.decode(), keep_blank_values=True)
        for values in fields.values():
            read_slack(values[0].encode(), Interaction)


@given(body=telegram_bodies)
def test_an_update_of_telegram_is_kept_aside_or_a_letter_that_the_router_can_read(
    body: bytes,
) -> None:
    raw = decoded(body)
    update_number(raw)
    chat_number(raw)
    try:
        update = read_update(raw)
        reading = read_telegram(update, TELEGRAM_ME, EVERYTHING)
    except PermanentError:
        assert isinstance(event_of(raw), bytes)
        return
    if isinstance(reading, NewMessage | Edited):
        began = telegram_message(MessageId("telegram:7:1"), reading.speech)
        require_good(msgspec.structs.replace(began, text=fitted(reading.text) or "x"), "telegram")


@contextmanager
def refusals() -> Iterator[None]:
    """Allow what a channel answers with a refusal, and nothing else."""
    try:
        yield
    except (UnreadableError, PermanentError):
        return


def require_good(inbound: InboundMessage, channel: str) -> None:
    """Check that the router can answer what a channel took.

    It may find that what is said of the sender is too long, and says that, in the
    message's place.
    """
    letter = read_letter(f"inbox.default.{channel}", 1, wrap(inbound, id="x", time=inbound.time))
    assert letter.inbound is not None, letter.problem
    if letter.problem:
        assert "too long" in letter.problem or "characters" in letter.problem
    else:
        assert letter.inbound == inbound
