"""The driver of a bot that Telegram brings its updates to."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import aiohttp
from typing_extensions import override

from sympozium.testing.channels.stage import Stage
from sympozium.testing.nats_server import free_port
from sympozium_telegram.settings import hidden_path
from tests.platforms.telegram.driver import TelegramDriver
from tests.platforms.telegram.server import BotApiServer, bot_api_server

UPDATE = json.dumps({"update_id": 5}).encode()
SECRET = "webhook-secret-0123456789"


class WebhookDriver(TelegramDriver):
    """As `TelegramDriver`, with the webhook as its transport."""

    def __init__(self, server: BotApiServer) -> None:
        super().__init__(server)
        self.port = free_port()

    @property
    @override
    def env(self) -> dict[str, str]:
        return {
            **super().env,
            "TELEGRAM_WEBHOOK_SECRET": SECRET,
            "SYMPOZIUM_TELEGRAM_TRANSPORT": "webhook",
            "SYMPOZIUM_TELEGRAM_WEBHOOK_URL": f"http://127.0.0.1:{self.port}/bots",
            "SYMPOZIUM_TELEGRAM_PORT": str(self.port),
        }

    @property
    def address(self) -> str:
        """Where the program is to be called."""
        return f"http://127.0.0.1:{self.port}/bots/{hidden_path(SECRET)}"


@asynccontextmanager
async def make_webhook_driver() -> AsyncIterator[WebhookDriver]:
    """Start a stand-in Telegram that will bring its updates."""
    async with bot_api_server() as server:
        yield WebhookDriver(server)


def driver_of(stage: Stage) -> WebhookDriver:
    """Return the driver of a stage with a webhook."""
    return cast(WebhookDriver, stage.driver)


async def called(
    address: str, headers: dict[str, str], body: bytes = UPDATE, method: str = "POST"
) -> tuple[int, str]:
    """Call the webhook as anybody can; return the status and `Retry-After`."""
    timeout = aiohttp.ClientTimeout(total=20)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.request(method, address, data=io.BytesIO(body), headers=headers) as answer,
    ):
        return answer.status, answer.headers.get("Retry-After", "")
