"""The connection to Telegram: one HTTP client, and for the webhook an HTTP server."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web

from sympozium.chat.program import Office, Parts
from sympozium.runtime import listening
from sympozium.runtime.loops import Loop
from sympozium_telegram.account import Account
from sympozium_telegram.bot_api import BotApi, http_session
from sympozium_telegram.buttons import Buttons
from sympozium_telegram.drafts import Drafts
from sympozium_telegram.inbound import Inbound, Stores
from sympozium_telegram.lease import Lease
from sympozium_telegram.originals import Originals
from sympozium_telegram.outbound import Telegram
from sympozium_telegram.polling import Poller
from sympozium_telegram.settings import POLL, Settings
from sympozium_telegram.taking_files import TakingFiles
from sympozium_telegram.webhook import Webhook

IDLE_TIMEOUT_S = 75.0
"""Telegram keeps its connections; one without a request for so long is closed."""

UNREAD_TIMEOUT_MS = 30_000
MAX_HEADER_BYTES = 8190
MAX_HEADERS = 64
SHUTDOWN_TIMEOUT_S = 2.0

_protocol_log = logging.getLogger(f"{__name__}.protocol")
_protocol_log.setLevel(logging.CRITICAL)  # what strangers send is not worth a traceback


@asynccontextmanager
async def open_telegram(settings: Settings, office: Office) -> AsyncIterator[Parts]:
    """Yield the channel's parts; the client is closed when the block is left."""
    async with http_session() as session:
        api = BotApi(settings.token, settings.api_url, session)
        buttons = Buttons(office.desk)
        stores = Stores(
            intake=office.intake,
            marks=office.marks,
            originals=Originals(office.desk),
            buttons=buttons,
            files=TakingFiles(api, office.files),
        )
        inbound = Inbound(api, stores, settings.channel.triggers)
        account = Account(api, settings)
        loops = _inbound_loops(settings, office, api, account, inbound)
        yield Parts(Telegram(api, buttons, Drafts(api)), loops)


def _inbound_loops(
    settings: Settings, office: Office, api: BotApi, account: Account, inbound: Inbound
) -> tuple[Loop, ...]:
    if settings.transport == POLL:
        lease = Lease(office.desk, office.settings.pod_name)
        poller = Poller(api, account, inbound, lease, office.health)
        return (poller.poll_loop,)
    webhook = Webhook(account, inbound, office.health, settings.webhook_secret)
    bound = bind(settings.port)
    return (partial(_serve_loop, webhook.app(), bound), webhook.supervise_loop)


def bind(port: int) -> socket.socket:
    """Take the webhook's *port* for this process.

    Raises:
        PermanentError: Somebody else has it.
    """
    return listening.bind(
        port, setting="SYMPOZIUM_TELEGRAM_PORT", unread_timeout_ms=UNREAD_TIMEOUT_MS
    )


async def _serve_loop(app: web.Application, bound: socket.socket, stop: asyncio.Event) -> None:
    """Answer calls until *stop* is set; then finish what has begun."""
    await listening.serve(
        app,
        bound,
        stop,
        auto_decompress=False,
        keepalive_timeout=IDLE_TIMEOUT_S,
        logger=_protocol_log,
        max_headers=MAX_HEADERS,
        max_field_size=MAX_HEADER_BYTES,
        max_line_size=MAX_HEADER_BYTES,
        shutdown_timeout=SHUTDOWN_TIMEOUT_S,
    )
