"""What the checks find at a bot account, and what they tell a person to do."""

import pytest

from sympozium.chat.checks import Account, Finding
from sympozium.testing.channels.driver import Spot, Where
from sympozium.testing.nats_server import free_port
from sympozium_telegram.checks import check_account
from sympozium_telegram.settings import hidden_path
from sympozium_telegram.setup import steps
from tests.platforms.telegram.driver import TelegramDriver
from tests.platforms.telegram.server import TOKEN, BotApiServer

SECRET = "0123456789abcdef"
GROUP = Where(Spot.CHANNEL, "ops")


def account(server: BotApiServer, *chats: str, **more: str) -> Account:
    given = {"api_url": server.url, "transport": "poll", **more}
    secret = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_WEBHOOK_SECRET": SECRET}
    return Account(secret, chats=chats, **given)


def about(findings: list[Finding], what: str) -> Finding:
    return next(one for one in findings if one.about == what)


async def test_a_bot_that_is_right_has_nothing_to_mend(
    server: BotApiServer, driver: TelegramDriver
) -> None:
    found = await check_account(account(server, driver.chat_id(GROUP)))
    assert all(one.is_good for one in found)
    assert "@sympozium_test_bot" in found[0].text
    assert "is in 'ops'" in about(found, f"chat {driver.chat_id(GROUP)}").text


async def test_privacy_mode_is_named_with_what_it_forbids(server: BotApiServer) -> None:
    privacy = about(await check_account(account(server)), "privacy mode")
    assert privacy.is_good
    assert "/setprivacy" in privacy.remedy


async def test_a_token_that_is_refused_is_all_that_is_found(server: BotApiServer) -> None:
    server.faults.is_revoked = True
    (found,) = await check_account(account(server))
    assert (found.about, found.is_good) == ("token", False)
    assert "@BotFather" in found.remedy
    assert TOKEN not in str(found)


@pytest.mark.parametrize("token", ["", "hello", "123456", "123:x y"])
async def test_what_is_no_token_is_not_sent_anywhere(server: BotApiServer, token: str) -> None:
    (found,) = await check_account(Account({"TELEGRAM_BOT_TOKEN": token}, api_url=server.url))
    assert not found.is_good
    assert server.called == []


async def test_a_server_that_is_not_there_is_named() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    (found,) = await check_account(Account({"TELEGRAM_BOT_TOKEN": TOKEN}, api_url=address))
    assert (found.about, found.is_good) == ("connection", False)
    assert address in found.text
    assert TOKEN not in str(found)


async def test_a_webhook_that_keeps_messages_from_the_poll_is_found(
    server: BotApiServer,
) -> None:
    server.world.webhook = {"url": "https://elsewhere.example.org/secret-path"}
    found = about(await check_account(account(server)), "webhook")
    assert not found.is_good
    assert "elsewhere.example.org" in found.text
    assert "secret-path" not in found.text


async def test_our_own_webhook_is_known_by_its_address(server: BotApiServer) -> None:
    address = "https://bots.example.org/telegram"
    server.world.webhook = {"url": f"{address}/{hidden_path(SECRET)}"}
    ours = account(server, transport="webhook", public_url=address)
    assert about(await check_account(ours), "webhook").is_good
    other = account(server, transport="webhook", public_url="https://moved.example.org")
    assert not about(await check_account(other), "webhook").is_good


async def test_a_chat_without_the_bot_is_found(
    server: BotApiServer, driver: TelegramDriver
) -> None:
    driver.chat(GROUP).closed = "bot is not a member of the supergroup chat"
    chat = driver.chat_id(GROUP)
    for one in (chat, "-100999"):
        found = about(await check_account(account(server, one)), f"chat {one}")
        assert not found.is_good
        assert "add" in found.remedy.lower()


@pytest.mark.parametrize(("name", "username"), [("ops", "ops_bot"), ("my-bot", "my_bot")])
def test_the_steps_name_a_username_that_may_be_taken(name: str, username: str) -> None:
    told = steps(name, transport="poll")
    assert username in told
    assert f"{username}_bot" not in told
    assert "/newbot" in told


def test_the_steps_for_the_webhook_say_where_the_secret_comes_from() -> None:
    assert "openssl rand" in steps("ops", transport="webhook")
    assert "openssl rand" not in steps("ops", transport="poll")
