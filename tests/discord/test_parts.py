"""The parts that only compute: ids, references, components, permissions, limits, settings."""

from datetime import UTC, datetime
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sympozium.chat.desk import Desk
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import Choice, Command
from sympozium.runtime.settings import SettingsError
from sympozium_discord.bodies import MAX_NONCE_CHARS, nonce_of
from sympozium_discord.buckets import Buckets
from sympozium_discord.components import MAX_CUSTOM_ID_CHARS, Choices
from sympozium_discord.library import Route
from sympozium_discord.permissions import ADMINISTRATOR, NEEDED, in_channel, in_server, missing
from sympozium_discord.registration import definitions, differ
from sympozium_discord.reply_to import ReplyTo, read_reply_to
from sympozium_discord.settings import read_settings
from sympozium_discord.snowflake import first_at, is_id, time_of
from tests.platforms.discord.rules import check_message, parts_of

IDS = st.integers(min_value=1, max_value=2**63 - 1).map(str)
POSTS = "/channels/{channel_id}/messages"


class NoteDesk:
    """A desk that keeps notes in memory, as far as choices need one."""

    def __init__(self) -> None:
        self.notes: dict[str, str] = {}

    async def keep(self, kept: dict[str, str]) -> None:
        self.notes |= kept

    async def read(self, keys: list[str]) -> dict[str, str]:
        return {key: self.notes[key] for key in keys if key in self.notes}


@given(channel=IDS, message=IDS, thread=st.booleans(), interaction=st.booleans())
def test_a_reference_reads_back(
    channel: str, message: str, thread: bool, interaction: bool
) -> None:
    made = ReplyTo(
        channel, message, begins_thread=thread and not interaction, is_interaction=interaction
    )
    assert read_reply_to(str(made)) == made


@given(text=st.text(max_size=60))
def test_a_text_that_is_no_reference_is_refused(text: str) -> None:
    try:
        read = read_reply_to(text)
    except PermanentError:
        return
    assert is_id(read.channel)
    assert is_id(read.message)


@given(moment=st.integers(min_value=1_500_000_000, max_value=2_500_000_000))
def test_an_id_tells_when_it_was_made(moment: int) -> None:
    assert time_of(str(first_at(moment))) == datetime.fromtimestamp(moment, UTC)


@given(keys=st.sets(st.text(min_size=1), min_size=2, max_size=20))
def test_nonces_are_short_and_differ(keys: set[str]) -> None:
    nonces = {nonce_of(key) for key in keys}
    assert len(nonces) == len(keys)
    assert all(len(nonce) <= MAX_NONCE_CHARS for nonce in nonces)


@settings(max_examples=25)
@given(
    arguments=st.lists(
        st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=300),
        min_size=1,
        max_size=60,
        unique=True,
    )
)
async def test_choices_fit_and_say_what_they_ask_for(arguments: list[str]) -> None:
    choices = Choices(cast(Desk, NoteDesk()))
    offered = [
        Choice(label=f"{n} {argument}"[:200], command=Command(name="model", arguments=argument))
        for n, argument in enumerate(arguments)
    ]
    components = await choices.components(offered)
    check_message({"content": "x", "components": components}, has_files=False, room="1")
    ids = [id_ for _, id_ in parts_of({"components": components})]
    assert all(len(id_) <= MAX_CUSTOM_ID_CHARS for id_ in ids)
    assert [await choices.read(id_) for id_ in ids] == [choice.command for choice in offered]


@pytest.mark.parametrize("id_", ["", "x", "#unknown", "menu:0", "!", "!\u0000"])
async def test_a_component_that_is_not_ours_asks_for_nothing(id_: str) -> None:
    with pytest.raises(PermanentError):
        await Choices(cast(Desk, NoteDesk())).read(id_)


def told(remaining: int, reset_after_s: float) -> dict[str, str]:
    return {
        "X-RateLimit-Bucket": "b",
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset-After": str(reset_after_s),
    }


def test_a_limit_opens_again_when_its_time_is_over() -> None:
    now = [0.0]
    buckets = Buckets(clock=lambda: now[0])
    route = Route("POST", POSTS, channel_id="1")
    with buckets.taken(route):
        buckets.learn(route, told(1, 5))
    assert buckets.wait_s(route) == 0.0
    with buckets.taken(route):
        assert buckets.wait_s(route) == 5.0
    assert buckets.wait_s(Route("POST", POSTS, channel_id="2")) == 0.0
    now[0] = 5.0
    assert buckets.wait_s(route) == 0.0


def test_where_nothing_was_told_one_call_goes_ahead() -> None:
    buckets = Buckets(clock=lambda: 0.0)
    route = Route("POST", POSTS, channel_id="1")
    with buckets.taken(route):
        assert buckets.wait_s(route) > 0.0
        buckets.learn(route, told(3, 5))
        assert buckets.wait_s(route) == 0.0
    assert buckets.wait_s(route) == 0.0


def test_calls_under_way_are_counted_before_discord_counts_them() -> None:
    buckets = Buckets(clock=lambda: 0.0)
    route = Route("POST", POSTS, channel_id="1")
    with buckets.taken(route):
        buckets.learn(route, told(3, 5))
    with buckets.taken(route), buckets.taken(route):
        buckets.learn(route, told(2, 5))
        assert buckets.wait_s(route) == 0.0
        with buckets.taken(route):
            assert buckets.wait_s(route) == 5.0


def test_answers_that_overtake_each_other_do_not_widen_a_limit() -> None:
    buckets = Buckets(clock=lambda: 0.0)
    route = Route("POST", POSTS, channel_id="1")
    for remaining in (0, 3):
        buckets.learn(route, told(remaining, 5))
    assert buckets.wait_s(route) == 5.0


def test_an_overall_penalty_holds_for_everything_but_interactions() -> None:
    buckets = Buckets(clock=lambda: 0.0)
    buckets.punish(Route("POST", POSTS, channel_id="1"), for_s=7.0, is_overall=True)
    assert buckets.wait_s(Route("GET", "/users/@me")) == 7.0
    callback = "/interactions/{webhook_id}/{webhook_token}/callback"
    assert buckets.wait_s(Route("POST", callback, webhook_id="1", webhook_token="t")) == 0.0


def test_what_a_channel_forbids_is_missing_and_its_own_rule_for_the_bot_wins() -> None:
    send, view = NEEDED["Send Messages"], NEEDED["View Channels"]
    roles = [{"id": "g", "permissions": str(sum(NEEDED.values()))}]
    granted = in_server(roles, "g", [])
    assert missing(granted) == []
    rules = [
        {"id": "g", "allow": "0", "deny": str(send | view)},
        {"id": "r", "allow": str(view), "deny": "0"},
        {"id": "me", "allow": str(send), "deny": "0"},
    ]
    channel = {"permission_overwrites": rules}
    assert missing(in_channel(granted, channel, "g", "me", ["r"])) == []
    assert missing(in_channel(granted, channel, "g", "other", ["r"])) == ["Send Messages"]
    assert missing(in_channel(ADMINISTRATOR, channel, "g", "other", [])) == []


def test_a_menu_that_is_as_wanted_is_left_alone() -> None:
    there = [one | {"id": "1", "version": "2", "nsfw": False} for one in definitions()]
    there = [one if one["options"] else {**one, "options": None} for one in reversed(there)]
    assert not differ(definitions(), there)
    assert differ(definitions(), there[1:])


def test_settings_tell_every_problem_at_once_and_no_token() -> None:
    environ = {"SYMPOZIUM_GATEWAY_URL": "http://x", "SYMPOZIUM_CHANNEL_NAME": "a b"}
    with pytest.raises(SettingsError) as wrong:
        read_settings(environ)
    for name in ("DISCORD_BOT_TOKEN", "SYMPOZIUM_GATEWAY_URL", "SYMPOZIUM_CHANNEL_NAME"):
        assert name in str(wrong.value)
    complete = {
        "SYMPOZIUM_CHANNEL_NAMESPACE": "default",
        "SYMPOZIUM_CHANNEL_NAME": "d",
        "SYMPOZIUM_NATS_URL": "nats://127.0.0.1:4222",
        "DISCORD_BOT_TOKEN": "abc.def.ghi",
    }
    assert "abc.def.ghi" not in repr(read_settings(complete))
