"""The adapter alone, in the test's own process, against a stand-in Discord."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import aiohttp

from sympozium.chat.desk import Desk
from sympozium.chat.markup import Piece
from sympozium.chat.platform import Shown, Target
from sympozium.contract.names import ConversationId, MessageId
from sympozium_discord.addresses import addresses_of
from sympozium_discord.components import Choices
from sympozium_discord.echoes import Echoes
from sympozium_discord.interactions import OpenInteractions
from sympozium_discord.outbound import Discord
from sympozium_discord.reply_to import ReplyTo
from sympozium_discord.rest import Rest
from sympozium_discord.search import Search
from sympozium_discord.threads import Threads
from tests.platforms.discord.driver import TOKEN, DiscordDriver, make_driver
from tests.platforms.discord.world import Room


@dataclass
class Adapter:
    """One adapter and the Discord that it calls."""

    discord: DiscordDriver
    rest: Rest
    platform: Discord

    def asked(self, room: Room, text: str = "which pods?") -> Target:
        """Have somebody ask in a channel, and return where the answer belongs."""
        message = self.discord.world.write(room, self.discord.world.person("ada"), text)["id"]
        reply_to = ReplyTo(room.id, message, begins_thread=True)
        conversation = ConversationId(f"{room.guild_id}:{room.id}:{message}")
        return Target(conversation, MessageId(f"discord:{message}"), str(reply_to))


def shown(text: str) -> Shown:
    return Shown(Piece(text, text))


@asynccontextmanager
async def adapter(token: str = TOKEN) -> AsyncIterator[Adapter]:
    """Yield an adapter that keeps no notes: its choices fit into their buttons."""
    async with make_driver() as discord, aiohttp.ClientSession() as http:
        rest = Rest(http, addresses_of(discord.env["SYMPOZIUM_API_URL"]), token)
        search = Search(rest, Echoes(), lambda: discord.world.bot)
        choices = Choices(cast(Desk, None))
        platform = Discord(rest, choices, OpenInteractions(), search, Threads(rest))
        yield Adapter(discord, rest, platform)
