"""The program `python -m sympozium_discord`: one bot account in Discord."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import aiohttp

from sympozium.chat.program import Office, Parts, serve_channel
from sympozium.runtime.logs import redact
from sympozium.runtime.long_lived import settle_in
from sympozium.runtime.loops import stop_on_signals
from sympozium.runtime.program import run_program
from sympozium_discord.addresses import addresses_of
from sympozium_discord.connection import Connection, Wire
from sympozium_discord.gap import Gap
from sympozium_discord.inbound import Inbound
from sympozium_discord.memory import Memory
from sympozium_discord.outbound import Discord
from sympozium_discord.registration import Registration
from sympozium_discord.rest import Rest
from sympozium_discord.search import Search
from sympozium_discord.settings import Settings, read_settings
from sympozium_discord.threads import Threads

PROGRAM = "channel-discord"


@asynccontextmanager
async def open_parts(settings: Settings, office: Office) -> AsyncIterator[Parts]:
    """Yield the platform and the loops of one bot."""
    addresses = addresses_of(settings.channel.api_url, settings.gateway_url)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        rest = Rest(http, addresses, settings.token)
        memory = Memory(office.desk)
        threads = Threads(rest)
        inbound = Inbound(office, rest, memory, threads)
        gap = Gap(rest, memory, inbound)
        wire = Wire(http, addresses, settings.token)
        connection = Connection(wire, memory, inbound, gap, office.health)
        search = Search(rest, inbound.echoes, lambda: memory.user_id)
        platform = Discord(rest, inbound.choices, inbound.interactions, search, threads)
        try:
            yield Parts(
                platform,
                (
                    connection.inbound_loop,
                    memory.keep_loop,
                    gap.audit_loop,
                    Registration(rest, memory).register_loop,
                ),
            )
        finally:
            await memory.keep()


async def main() -> None:
    """Read the settings and serve until SIGTERM or SIGINT."""
    settle_in()
    settings = read_settings()
    redact(settings.token)
    logging.getLogger().setLevel(settings.channel.log_level)
    logging.getLogger("discord").setLevel(logging.WARNING)  # below, it logs what people write
    await serve_channel(settings.channel, stop_on_signals(), partial(open_parts, settings))


if __name__ == "__main__":
    run_program(PROGRAM, main)
