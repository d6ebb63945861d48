"""Making an app, checking it, and what the program is told from outside."""

import json

import pytest

from sympozium.chat.checks import Account, Finding
from sympozium.contract.errors import PermanentError
from sympozium.runtime.settings import SettingsError
from sympozium_slack.addresses import Addresses
from sympozium_slack.checks import check_account
from sympozium_slack.scopes import EVENTS, SCOPES
from sympozium_slack.settings import read_settings
from sympozium_slack.setup import app_manifest, steps
from tests.platforms.slack.server import SlackServer, slack_server
from tests.platforms.slack.workspace import APP_TOKEN, BOT_TOKEN

ENVIRON = {
    "SYMPOZIUM_CHANNEL_NAMESPACE": "default",
    "SYMPOZIUM_CHANNEL_NAME": "slack",
    "SYMPOZIUM_NATS_URL": "nats://127.0.0.1:4222",
    "SLACK_BOT_TOKEN": "xoxb-1-secret",
    "SLACK_APP_TOKEN": "xapp-1-secret",
}


def account(server: SlackServer, **secret: str) -> Account:
    tokens = {"SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN} | secret
    return Account(secret=tokens, api_url=server.url, chats=("C0GENERAL",))


def by_name(found: list[Finding]) -> dict[str, Finding]:
    return {finding.about: finding for finding in found}


async def test_an_app_with_everything_has_nothing_to_mend() -> None:
    async with slack_server() as server:
        server.workspace.channel("C0GENERAL")
        server.granted = {scope.name for scope in SCOPES}
        found = await check_account(account(server))
    assert all(finding.is_good for finding in found), found
    assert {"token", "scopes", "channel C0GENERAL", "Socket Mode"} <= set(by_name(found))


async def test_every_missing_scope_is_named_with_what_does_not_work() -> None:
    async with slack_server() as server:
        server.granted = {"chat:write"}
        found = by_name(await check_account(account(server)))
    missing = {scope.name for scope in SCOPES} - {"chat:write"}
    assert {f"scope {name}" for name in missing} <= set(found)
    assert "install the app again" in found["scope files:read"].remedy


async def test_a_channel_without_the_bot_is_named() -> None:
    async with slack_server() as server:
        server.workspace.channel("C0GENERAL").has_bot = False
        found = by_name(await check_account(account(server)))
        assert "/invite" in found["channel C0GENERAL"].remedy
        del server.workspace.channels["C0GENERAL"]
        found = by_name(await check_account(account(server)))
        assert not found["channel C0GENERAL"].is_good


async def test_a_refused_token_is_said_and_nothing_else_is_asked_with_it() -> None:
    async with slack_server() as server:
        found = by_name(await check_account(account(server, SLACK_BOT_TOKEN="xoxb-wrong")))
        assert not found["token"].is_good
        assert "channel C0GENERAL" not in found
        assert server.calls["conversations.info"] == 0


async def test_socket_mode_that_is_off_is_said() -> None:
    async with slack_server() as server:
        server.refuses_sockets = "socket_mode_not_enabled"
        found = by_name(await check_account(account(server)))
    assert "Turn on Socket Mode" in found["Socket Mode"].remedy


async def test_an_app_token_in_the_wrong_place_is_said() -> None:
    async with slack_server() as server:
        found = by_name(await check_account(account(server, SLACK_BOT_TOKEN=APP_TOKEN)))
    assert "xoxb-" in found["token"].text


async def test_a_platform_that_does_not_answer_is_no_wrong_token() -> None:
    nowhere = Account(secret={"SLACK_BOT_TOKEN": "xoxb-1"}, api_url="http://127.0.0.1:9")
    found = by_name(await check_account(nowhere))
    assert "does not answer" in found["connection"].text


def test_the_manifest_asks_for_every_scope_and_event() -> None:
    manifest = app_manifest("helper")
    assert manifest["oauth_config"]["scopes"]["bot"] == sorted(scope.name for scope in SCOPES)
    assert manifest["settings"]["event_subscriptions"]["bot_events"] == list(EVENTS)
    assert manifest["settings"]["socket_mode_enabled"]


def test_the_manifest_for_http_says_where_slack_is_to_call() -> None:
    manifest = app_manifest("helper", transport="http", public_url="https://a.b/")
    settings = manifest["settings"]
    assert settings["event_subscriptions"]["request_url"] == "https://a.b/slack/events"
    assert settings["interactivity"]["request_url"] == "https://a.b/slack/events"
    assert manifest["features"]["slash_commands"][0]["url"] == "https://a.b/slack/events"
    assert not settings["socket_mode_enabled"]


@pytest.mark.parametrize(
    ("transport", "secret"), [("", "SLACK_APP_TOKEN"), ("http", "SLACK_SIGNING_SECRET")]
)
def test_the_steps_hold_the_manifest_and_name_the_secrets(transport: str, secret: str) -> None:
    text = steps("helper", transport=transport)
    manifest = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert manifest == app_manifest("helper", transport=transport)
    assert "it is SLACK_BOT_TOKEN" in text
    assert secret in text


def test_tokens_are_in_no_text_of_the_settings() -> None:
    assert "secret" not in repr(read_settings(ENVIRON))


def test_every_problem_with_the_settings_is_said_at_once() -> None:
    environ = ENVIRON | {
        "SLACK_BOT_TOKEN": "",
        "SLACK_APP_TOKEN": "",
        "SYMPOZIUM_SLACK_COMMAND": "no slash",
    }
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SYMPOZIUM_SLACK_COMMAND"):
        assert name in str(caught.value)


def test_tokens_that_were_swapped_are_refused_without_being_told() -> None:
    swapped = ENVIRON | {"SLACK_BOT_TOKEN": "xapp-1-secret", "SLACK_APP_TOKEN": "xoxb-1-secret"}
    with pytest.raises(SettingsError) as caught:
        read_settings(swapped)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://files.slack.com/a?b=c",
        "https://slack-files.com/a?b=c",
        "https://x.enterprise.slack.com/a?b=c",
        "https://files.slack-gov.com/a?b=c",
    ],
)
def test_slacks_own_addresses_are_reached_where_the_channel_says(url: str) -> None:
    assert Addresses().of_file(url) == url
    assert Addresses("http://proxy:8080").of_file(url) == "http://proxy:8080/a?b=c"
    assert Addresses("https://proxy/slack/api").of_socket("wss://wss.slack.com/link/?t=1") == (
        "wss://proxy/link/?t=1"
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/a",
        "https://slack.com.evil.example/a",
        "https://evilslack.com/a",
        "https://slack.com@evil.example/a",
        "https://me:x@files.slack.com/a",
        "http://files.slack.com/a",
        "file:///etc/passwd",
        "https://[",
        "",
    ],
)
def test_no_other_address_is_ever_given_the_token(url: str) -> None:
    for addresses in (Addresses(), Addresses("http://proxy:8080")):
        with pytest.raises(PermanentError):
            addresses.of_file(url)


def test_the_base_address_may_have_a_path_of_its_own() -> None:
    assert Addresses().api == "https://slack.com/api/"
    assert Addresses("https://slack-gov.com/api/").api == "https://slack-gov.com/api/"
    assert Addresses("http://127.0.0.1:1").api == "http://127.0.0.1:1/api/"
