"""A stand-in Telegram, calls to it, and the program between it and a bus."""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from sympozium.testing.channels.stage import Stage, stage
from sympozium_telegram.bot_api import BotApi, http_session
from tests.platforms.telegram.driver import TelegramDriver, make_driver
from tests.platforms.telegram.server import TOKEN, BotApiServer
from tests.telegram.hooked import WebhookDriver, make_webhook_driver


@pytest.fixture
async def driver() -> AsyncIterator[TelegramDriver]:
    """People at a stand-in Telegram."""
    async with make_driver() as made:
        yield made


@pytest.fixture
def server(driver: TelegramDriver) -> BotApiServer:
    """The stand-in's server."""
    return driver.server


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """The client that carries every call."""
    async with http_session() as made:
        yield made


@pytest.fixture
def api(server: BotApiServer, session: aiohttp.ClientSession) -> BotApi:
    """Calls of the bot."""
    return BotApi(TOKEN, server.url, session)


@pytest.fixture
async def polling(driver: TelegramDriver, tmp_path: Path) -> AsyncIterator[Stage]:
    """The program, polling, between the stand-in and a bus of its own."""
    async with stage(lambda: nullcontext(driver), tmp_path) as running:
        yield running


@pytest.fixture
async def hooked(tmp_path: Path) -> AsyncIterator[Stage]:
    """The program with a webhook, between the stand-in and a bus of its own."""
    async with stage(make_webhook_driver, tmp_path) as running:
        assert isinstance(running.driver, WebhookDriver)
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """The program, polling, for all tests that leave it running."""
    async with stage(make_driver, tmp_path_factory.mktemp("polling")) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_hooked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """The program with a webhook, for all tests that leave it running."""
    async with stage(make_webhook_driver, tmp_path_factory.mktemp("hooked")) as running:
        yield running
