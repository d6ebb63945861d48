"""A bot that Discord does not accept: said clearly, tried again seldom, and the program lives."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from sympozium.bus.admin import ensure_bus, ensure_consumer
from sympozium.bus.nats import connect
from sympozium.contract.subjects import outbox_consumer
from sympozium.testing.channels.backstage import backstage
from sympozium.testing.channels.program import Program
from sympozium.testing.nats_server import NatsServer
from tests.platforms.discord.driver import DiscordDriver, make_driver

pytestmark = pytest.mark.timeout(60)


def no_intent(discord: DiscordDriver) -> None:
    discord.world.has_message_content = False


def no_token(discord: DiscordDriver) -> None:
    discord.more_env = {"DISCORD_BOT_TOKEN": "another.token.entirely"}


@pytest.mark.parametrize(
    ("prepare", "said"),
    [(no_intent, "Message Content Intent"), (no_token, "does not accept the bot's token")],
)
async def test_what_a_person_must_do_is_said_and_discord_is_not_asked_all_the_time(
    tmp_path: Path, prepare: Callable[[DiscordDriver], None], said: str
) -> None:
    nats = NatsServer(tmp_path)
    await nats.start()
    address = nats.address("router")
    async with connect(address) as bus, make_driver() as discord:
        prepare(discord)
        await ensure_bus(bus.client)
        await ensure_consumer(bus.client, outbox_consumer("default", "d"))
        env = discord.env | {
            "SYMPOZIUM_CHANNEL_NAMESPACE": "default",
            "SYMPOZIUM_CHANNEL_NAME": "d",
            "SYMPOZIUM_NATS_URL": nats.url,
        }
        program = Program(discord.module, env, tmp_path / "channel.log")
        async with backstage(bus, "default", "d"), asyncio.TaskGroup() as group:
            starting = group.create_task(program.start())
            health = f"http://127.0.0.1:{program._health_port}"
            assert said in await _unready(health, said)
            assert discord.gateway.identified == 1
            starting.cancel()
        assert await program.stop() == 0
    nats.kill()


async def _unready(health: str, said: str) -> str:
    """Return what the program says of itself as soon as it says that; it lives all the time."""
    text = ""
    async with aiohttp.ClientSession() as session:
        while said not in text:
            try:
                async with session.get(f"{health}/readyz") as answer:
                    text = await answer.text()
                async with session.get(f"{health}/livez") as answer:
                    assert answer.status == 200
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
    return text
