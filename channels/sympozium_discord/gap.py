"""What was written while nobody listened: read back from the histories after a session was lost.

A resumed session brings what was missed by itself. A new one does not; then every
channel, thread and direct chat that has something newer than what was heard last is
read from there. What is on the bus already is stored once all the same.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from sympozium.bus.cancelled import ended
from sympozium.chat.errors import ChatClosedError, PlatformBusyError
from sympozium.contract.errors import PermanentError
from sympozium_discord.inbound import PASSING, Inbound
from sympozium_discord.library import Route
from sympozium_discord.memory import Memory
from sympozium_discord.refusals import DiscordRefusedError
from sympozium_discord.rest import Rest
from sympozium_discord.snowflake import first_at
from sympozium_discord.wire import Channel, Message, read

log = logging.getLogger(__name__)

MARGIN_S = 60.0
"""Read from so long before: clocks differ, and an event may have been on its way."""

MAX_AGE_S = 24 * 3600.0
"""What is older is not answered any more: an answer that late surprises."""

PAGE = 100
GUILDS_PAGE = 200
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 120.0


class Gap:
    """Reads what was missed."""

    def __init__(self, rest: Rest, memory: Memory, inbound: Inbound) -> None:
        self._rest = rest
        self._memory = memory
        self._inbound = inbound
        self._wake = asyncio.Event()

    def look(self) -> None:
        """A session has begun: something may have been missed."""
        self._wake.set()

    async def audit_loop(self, stop: asyncio.Event) -> None:
        """Read what was missed whenever there is reason to, until *stop* is set."""
        async with asyncio.TaskGroup() as group:
            auditing = group.create_task(self._audit())
            await stop.wait()
            await ended(auditing)

    async def _audit(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            await self._wake.wait()
            self._wake.clear()
            since = self._memory.missed_since
            if not since:
                continue
            try:
                count = await self._read_since(since)
            except (*PASSING, ValueError, TypeError, LookupError) as error:
                wait_s = error.retry_after_s if isinstance(error, PlatformBusyError) else pause_s
                log.warning("gap not read", extra={"action": "retry", "cause": str(error)})
                await asyncio.sleep(wait_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                self._wake.set()
            else:
                self._memory.caught_up(since)
                log.info("gap read", extra={"action": "audit", "messages": count})
                pause_s = FIRST_PAUSE_S

    async def _read_since(self, since: float) -> int:
        after = first_at(max(since - MARGIN_S, time.time() - MAX_AGE_S))
        count = 0
        async for guild in self._guilds():
            for channel in await self._channels(guild):
                self._inbound.places.learn(channel)
                if int(channel.last_message_id or 0) > after:
                    count += await self._read(guild, channel.id, after)
        for chat, newest in reversed(self._memory.direct.copy().items()):
            count += await self._read("", chat, max(after, int(newest)))
        return count

    async def _guilds(self) -> AsyncIterator[str]:
        after = "0"
        while True:
            params = {"limit": str(GUILDS_PAGE), "after": after}
            page = await self._rest.call(Route("GET", "/users/@me/guilds"), params=params)
            for guild in page:
                after = str(guild["id"])
                yield after
            if len(page) < GUILDS_PAGE:
                return

    async def _channels(self, guild: str) -> list[Channel]:
        try:
            listed = await self._rest.call(
                Route("GET", "/guilds/{guild_id}/channels", guild_id=guild)
            )
            active = await self._rest.call(
                Route("GET", "/guilds/{guild_id}/threads/active", guild_id=guild)
            )
            return [read(one, Channel) for one in [*listed, *active["threads"]]]
        except (ChatClosedError, DiscordRefusedError) as error:  # removed from it meanwhile
            log.info("server left out", extra={"action": "drop", "cause": str(error)})
            return []

    async def _read(self, guild: str, channel: str, after: int) -> int:
        count = 0
        while True:
            page = await self._page(channel, after)
            for raw in sorted(page, key=lambda one: int(one["id"])):
                after = int(raw["id"])
                count += await self._take(guild, raw)
            if len(page) < PAGE:
                return count

    async def _page(self, channel: str, after: int) -> list[dict[str, Any]]:
        route = Route("GET", "/channels/{channel_id}/messages", channel_id=channel)
        params = {"after": str(after), "limit": str(PAGE)}
        try:
            page: list[dict[str, Any]] = await self._rest.call(route, params=params)
        except (ChatClosedError, DiscordRefusedError):  # not ours to read
            return []
        return page

    async def _take(self, guild: str, raw: dict[str, Any]) -> int:
        try:
            message: Message = read(raw, Message)
        except ValueError as error:
            await self._inbound.set_aside(str(raw["id"]), PermanentError(str(error)))
            return 0
        await self._inbound.store_missed(msgspec.structs.replace(message, guild_id=guild))
        return 1
