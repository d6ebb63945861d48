"""Bots at the chat platforms: each at a stand-in that speaks the platform's own protocol."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from sympozium.testing.channels.driver import Driver, MakeDriver
from tests.fault.arming import Place
from tests.fixtures.embedded_system import EmbeddedSystem
from tests.platforms.discord.driver import make_driver as make_discord
from tests.platforms.slack.driver import SlackDriver
from tests.platforms.slack.driver import make_driver as make_slack
from tests.platforms.telegram.driver import make_driver as make_telegram

TELEGRAM, SLACK, DISCORD = "telegram", "slack", "discord"
PATIENCE_S = (0.3, 1.0, 3.0, 5.0, 10.0, 20.0, *[40.0] * 8)
"""Slack brings an event at once, after one minute and after five: here more often in that time.

Nobody has to wait for five minutes then, and a bot that is away for less misses nothing.
"""


@asynccontextmanager
async def make_patient_slack() -> AsyncIterator[Driver]:
    """Start a stand-in Slack that gives up an event no sooner than Slack does."""
    async with make_slack() as driver:
        assert isinstance(driver, SlackDriver)
        driver.server.delivery.retries_s = PATIENCE_S
        yield driver


MAKERS: Mapping[str, MakeDriver] = {
    TELEGRAM: make_telegram,
    SLACK: make_patient_slack,
    DISCORD: make_discord,
}
PLATFORMS = tuple(MAKERS)

PERSON = "ada"
"""Who may talk to every bot."""


def url_of(driver: Driver) -> str:
    """Return where a stand-in is."""
    return driver.env["SYMPOZIUM_API_URL"]


@asynccontextmanager
async def platforms(*names: str) -> AsyncIterator[dict[str, Driver]]:
    """Run the stand-ins of these names while the block lasts."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(MAKERS[name]()) for name in names}


@asynccontextmanager
async def added(
    system: EmbeddedSystem, drivers: Mapping[str, Driver], urls: Mapping[str, str]
) -> AsyncIterator[dict[str, Place]]:
    """Have a bot at each platform, which is reached at its one of *urls*; yield the Deployments."""
    names = {platform: f"{platform}-{uuid.uuid4().hex[:6]}" for platform in drivers}
    async with asyncio.TaskGroup() as group:
        for platform, driver in drivers.items():
            known = replace(system, environ=system.environ | driver.env)
            options = ("--name", names[platform], "--api-url", urls[platform])
            person = ("--user", driver.user_id(PERSON))
            group.create_task(_done(known, "channel", "add", platform, *options, *person))
    try:
        yield {platform: ("default", f"channel-{name}") for platform, name in names.items()}
    finally:
        async with asyncio.TaskGroup() as group:
            for name in names.values():
                group.create_task(_done(system, "channel", "remove", name, "--yes"))


async def _done(system: EmbeddedSystem, *arguments: str) -> None:
    done = await asyncio.to_thread(system.sympozium, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
