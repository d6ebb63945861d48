"""A bot at a stand-in Telegram, in a running system, that answers everybody."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from sympozium.testing.channels.driver import Driver
from tests.fixtures.embedded_system import EmbeddedSystem
from tests.platforms.telegram.driver import make_driver

NAME = "telegram"


@asynccontextmanager
async def a_bot(system: EmbeddedSystem) -> AsyncIterator[Driver]:
    """Add the bot by the command line, and yield its platform."""
    async with make_driver() as driver:
        known = replace(system, environ=system.environ | driver.env)
        url = driver.env["SYMPOZIUM_API_URL"]
        add = ("channel", "add", "telegram", "--name", NAME, "--api-url", url)
        added = await asyncio.to_thread(known.sympozium, *add)
        assert added.returncode == 0, added.stdout + added.stderr
        everybody = json.dumps({"spec": {"access": {"users": ["*"]}}})
        patch = ("patch", "channel", NAME, "--type=merge", "-p", everybody)
        patched = await asyncio.to_thread(system.kubectl, *patch)
        assert patched.returncode == 0, patched.stderr
        yield driver
