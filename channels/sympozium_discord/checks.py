"""Looking at a bot account by calling Discord: what is right, what is missing, what to do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from sympozium.chat.checks import Account, Finding
from sympozium.chat.errors import AccountRefusedError, ChatClosedError
from sympozium.contract.errors import SympoziumError
from sympozium.runtime.logs import redact
from sympozium_discord.addresses import addresses_of
from sympozium_discord.library import Route
from sympozium_discord.permissions import in_channel, in_server, invitation, missing
from sympozium_discord.refusals import DiscordRefusedError
from sympozium_discord.rest import Rest

TOKEN = "DISCORD_BOT_TOKEN"  # noqa: S105 - the name of a variable

MESSAGE_CONTENT = (1 << 18) | (1 << 19)
"""Flags of an application with the Message Content Intent; the second one for small bots.

Source: https://docs.discord.com/developers/resources/application#application-object-application-flags
"""

FEW_SESSIONS = 50
SERVERS_PAGE = 200

Object = dict[str, Any]


async def check_account(account: Account) -> list[Finding]:
    """Return what was found, the token first; nothing else is asked with one that is refused."""
    token = account.secret.get(TOKEN, "").strip()
    redact(token)
    if not _looks_like_token(token):
        return [
            _bad(
                "token",
                f"{TOKEN} has not the form of a bot's token.",
                "Copy it from the app's Bot page (Reset Token): three parts with dots, "
                "without the word Bot before it.",
            )
        ]
    addresses = addresses_of(account.api_url, account.gateway_url)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        rest = Rest(http, addresses, token)
        try:
            me = await rest.call(Route("GET", "/users/@me"))
        except SympoziumError as error:
            return [_token_trouble(error, addresses.api)]
        return await _Look(rest, me, account).findings()


@dataclass
class _Look:
    """Everything beside the token."""

    rest: Rest
    me: Object
    account: Account

    async def findings(self) -> list[Finding]:
        found = [_good("token", f"It is the token of {self.me.get('username')} ({self.me['id']}).")]
        found += await _asked("message content", self._application)
        found += await _asked("servers", self._servers)
        found += await _asked("gateway", self._gateway)
        for chat in self.account.chats:
            found += await _asked(f"chat {chat}", lambda chat=chat: self._chat(chat))  # type: ignore[misc] # mypy cannot type a default in a lambda
        return found

    async def _application(self) -> list[Finding]:
        application = await self._get("/applications/@me")
        if int(application.get("flags") or 0) & MESSAGE_CONTENT:
            return [_good("message content", "The bot may read what people write.")]
        return [
            _bad(
                "message content",
                "The bot may not read what people write, and the gateway refuses it.",
                "Turn on Message Content Intent on the app's Bot page, under Privileged "
                "Gateway Intents.",
            )
        ]

    async def _servers(self) -> list[Finding]:
        servers = await self.rest.call(
            Route("GET", "/users/@me/guilds"), params={"limit": str(SERVERS_PAGE)}
        )
        if not servers:
            application = await self._get("/applications/@me")
            where = invitation(str(application["id"]))
            return [_bad("servers", "The bot is in no server.", f"Open {where} and choose one.")]
        found = []
        for server in servers:
            about = f"server {server['id']}"
            lacks = missing(int(server.get("permissions") or 0))
            found.append(_permitted(about, f"In {server['name']!r}", lacks))
        return found

    async def _gateway(self) -> list[Finding]:
        told = await self._get("/gateway/bot")
        limit = told["session_start_limit"]
        remaining, total = int(limit["remaining"]), int(limit["total"])
        if int(told.get("shards") or 1) > 1:
            text = "The bot is in more servers than one connection may serve."
            return [_bad("gateway", text, "Use a bot of its own for some of the servers.")]
        if remaining < FEW_SESSIONS:
            text = f"Of {total} sessions a day {remaining} are left."
            remedy = "See in the channel's log why it begins so many; at none Discord resets it."
            return [_bad("gateway", text, remedy)]
        return [_good("gateway", f"Of {total} sessions a day {remaining} are left.")]

    async def _chat(self, chat: str) -> list[Finding]:
        about = f"chat {chat}"
        try:
            channel = await self._get("/channels/{channel_id}", channel_id=chat)
        except ChatClosedError:
            server = await self._get("/guilds/{guild_id}", guild_id=chat)
            return [_good(about, f"The bot is in the server {server['name']!r}.")]
        guild = channel.get("guild_id")
        if guild is None:
            return [_good(about, "A direct chat.")]
        server = await self._get("/guilds/{guild_id}", guild_id=guild)
        member = await self._get(
            "/guilds/{guild_id}/members/{user_id}", guild_id=guild, user_id=self.me["id"]
        )
        roles = member["roles"]
        granted = in_server(server["roles"], guild, roles)
        granted = in_channel(granted, channel, guild, self.me["id"], roles)
        return [_permitted(about, f"In #{channel.get('name')}", missing(granted))]

    async def _get(self, path: str, **ids: str) -> Object:
        answer: Object = await self.rest.call(Route("GET", path, **ids))
        return answer


async def _asked(about: str, look: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    """Return what *look* found, or that Discord did not say it."""
    try:
        return await look()
    except (ChatClosedError, DiscordRefusedError):
        remedy = "Check the id, add the bot to the server, and let it view the channel."
        return [_bad(about, "Discord does not know it, or the bot may not see it.", remedy)]
    except SympoziumError as error:
        return [_bad(about, f"{error}.", "Try again in a minute.")]
    except (KeyError, TypeError, ValueError, AttributeError):
        remedy = "See whether spec.apiURL leads to Discord's API."
        return [_bad(about, "What was answered is not what Discord answers.", remedy)]


def _permitted(about: str, where: str, lacks: list[str]) -> Finding:
    if not lacks:
        return _good(about, f"{where} the bot may do all that it needs.")
    remedy = "Grant it to the bot's role: Server Settings, Roles, or the channel's permissions."
    return _bad(about, f"{where} the bot lacks: {', '.join(lacks)}.", remedy)


def _token_trouble(error: SympoziumError, api: str) -> Finding:
    if isinstance(error, AccountRefusedError):
        remedy = "Make a new one on the app's Bot page (Reset Token) and put it into the Secret."
        return _bad("token", "Discord refuses the token.", remedy)
    remedy = "Let this machine reach it, or set spec.apiURL to an address that it reaches."
    return _bad("connection", f"The API at {api} does not answer: {error}.", remedy)


def _looks_like_token(token: str) -> bool:
    parts = token.split(".")
    return len(parts) == 3 and all(parts) and token.isascii() and " " not in token


def _good(about: str, text: str) -> Finding:
    return Finding(about, is_good=True, text=text)


def _bad(about: str, text: str, remedy: str) -> Finding:
    return Finding(about, is_good=False, text=text, remedy=remedy)
