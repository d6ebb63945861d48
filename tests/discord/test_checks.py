"""What a check of a Discord account finds."""

from collections.abc import AsyncIterator

import pytest

from sympozium.chat.checks import Account, Finding
from sympozium_discord.checks import check_account
from sympozium_discord.permissions import ALL_NEEDED, NEEDED
from sympozium_discord.setup import steps
from tests.platforms.discord.driver import TOKEN, DiscordDriver, make_driver


@pytest.fixture
async def discord() -> AsyncIterator[DiscordDriver]:
    async with make_driver() as driver:
        yield driver


def account(discord: DiscordDriver, *chats: str, token: str = TOKEN) -> Account:
    return Account(
        secret={"DISCORD_BOT_TOKEN": token},
        api_url=discord.env["SYMPOZIUM_API_URL"],
        chats=chats,
    )


def wrong(findings: list[Finding]) -> dict[str, Finding]:
    return {one.about: one for one in findings if not one.is_good}


async def test_nothing_is_wrong_with_an_account_that_has_everything(
    discord: DiscordDriver,
) -> None:
    room = discord.world.channel("pods")
    found = await check_account(account(discord, room.id, discord.world.guild))
    assert wrong(found) == {}
    assert {one.about for one in found} >= {"token", "message content", "gateway"}


@pytest.mark.parametrize("token", ["", "Bot " + TOKEN, "abc", "a.b"])
async def test_what_is_no_token_is_not_sent_anywhere(discord: DiscordDriver, token: str) -> None:
    found = await check_account(account(discord, token=token))
    assert list(wrong(found)) == ["token"]
    assert discord.api.paths == []


async def test_a_refused_token_ends_the_check_without_being_quoted(
    discord: DiscordDriver,
) -> None:
    found = await check_account(account(discord, token="abc.def.ghi"))
    assert [one.about for one in found] == ["token"]
    assert "abc.def.ghi" not in repr(found)


async def test_a_missing_intent_is_named(discord: DiscordDriver) -> None:
    discord.api.flags = 0
    found = wrong(await check_account(account(discord)))
    assert "Message Content Intent" in found["message content"].remedy


async def test_a_server_that_grants_too_little_is_named_with_what_lacks(
    discord: DiscordDriver,
) -> None:
    discord.api.permissions = ALL_NEEDED & ~NEEDED["Create Public Threads"]
    found = wrong(await check_account(account(discord)))
    assert "Create Public Threads" in found[f"server {discord.world.guild}"].text


async def test_a_channels_own_rules_count(discord: DiscordDriver) -> None:
    room = discord.world.channel("pods")
    denied = str(NEEDED["Send Messages"])
    rule = {"id": discord.world.guild, "type": 0, "allow": "0", "deny": denied}
    room.overwrites = [rule]
    discord.api.permissions = ALL_NEEDED
    found = wrong(await check_account(account(discord, room.id)))
    assert "Send Messages" in found[f"chat {room.id}"].text


async def test_a_chat_that_the_bot_is_not_in_is_named(discord: DiscordDriver) -> None:
    room = discord.world.channel("secret")
    room.is_closed = True
    found = wrong(await check_account(account(discord, room.id, "12345")))
    assert set(found) == {f"chat {room.id}", "chat 12345"}


@pytest.mark.parametrize("trouble", ["is_down", "is_no_api"])
async def test_an_api_that_does_not_answer_is_said(discord: DiscordDriver, trouble: str) -> None:
    setattr(discord.api, trouble, True)
    found = await check_account(account(discord))
    assert [one.about for one in found] == ["connection"]


def test_the_steps_name_every_permission_and_the_intent() -> None:
    text = steps("helper")
    assert all(name in text for name in (*NEEDED, "Message Content Intent", "helper"))
