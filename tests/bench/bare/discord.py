"""A bot as discord.py's documentation has it: a Client with `on_message`."""

import os

import discord
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL

from tests.bench.bare.count import Count, count_of_arguments, tell


class _Bot(discord.Client):
    def __init__(self, count: Count) -> None:
        intents = discord.Intents.default()
        intents.message_content = True
        super().__init__(intents=intents)
        self._count = count

    async def on_ready(self) -> None:
        tell("ready")

    async def on_message(self, message: discord.Message) -> None:
        if message.author == self.user:
            return
        self._count.heard()
        if self._count.echoes:
            await message.channel.send(message.content)


def main() -> None:
    """Hear messages until the process is ended."""
    Route.BASE = f"{os.environ['SYMPOZIUM_API_URL']}/api/v10"
    DiscordWebSocket.DEFAULT_GATEWAY = URL(os.environ["SYMPOZIUM_GATEWAY_URL"])
    _Bot(count_of_arguments()).run(os.environ["DISCORD_BOT_TOKEN"], log_handler=None)


if __name__ == "__main__":
    main()
