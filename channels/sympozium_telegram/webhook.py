"""The webhook: Telegram brings updates, and is told 200 when they are on the bus' disk.

Any other answer makes it bring them again, for a day, and later at each time; with
`Retry-After` it waits as long as we ask.
"""

import asyncio
import hmac
import logging
from time import time
from typing import Any

import msgspec
from aiohttp import web

from sympozium.chat.errors import AccountRefusedError
from sympozium.chat.health import Health
from sympozium.contract.errors import PermanentError, SympoziumError, TransientError
from sympozium.runtime.loops import pause
from sympozium_telegram.account import Account
from sympozium_telegram.inbound import Inbound
from sympozium_telegram.settings import hidden_path

log = logging.getLogger(__name__)

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the header's name
MAX_BODY_BYTES = 1024 * 1024
TOO_LONG = f"cannot read an update: it is longer than {MAX_BODY_BYTES} bytes"
BODY_TIMEOUT_S = 10.0
TAKE_TIMEOUT_S = 50.0
"""Less than the 60 s after which Telegram takes a call for lost."""

MAX_AT_ONCE = 64
RETRY_AFTER_S = 5
LOOK_EVERY_S = 20.0
FAILURE_COUNTS_FOR_S = 60.0


class Webhook:
    """Receives updates over HTTP, and sees that Telegram brings them here."""

    def __init__(self, account: Account, inbound: Inbound, health: Health, secret: str) -> None:
        self._account = account
        self._inbound = inbound
        self._health = health
        self._secret = secret
        self._path = hidden_path(secret)
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)

    def app(self) -> web.Application:
        """Return the application that Telegram calls, under any prefix of the path."""
        app = web.Application()
        app.router.add_post("/{path:.*}", self.receive)
        return app

    async def receive(self, request: web.Request) -> web.Response:
        """Answer one call. Whoever does not know the secret learns nothing and costs nothing."""
        is_telegram = _is_same(request.headers.get(SECRET_HEADER, ""), self._secret)
        last_step = request.match_info["path"].rpartition("/")[2]
        if not (_is_same(last_step, self._path) and is_telegram):
            return _refusal(401, "the secret is missing or wrong")
        if self._slots.locked():
            return _refusal(503, "too many calls at a time", retry_after_s=RETRY_AFTER_S)
        async with self._slots:
            return await self._received(request)

    async def _received(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body, is_whole = await _read(request)
        except TimeoutError:
            return _refusal(408, "the body did not come")
        try:
            async with asyncio.timeout(TAKE_TIMEOUT_S):
                me = await self._account.introduce()
                if is_whole:
                    await self._inbound.take(decoded(body), me)
                else:  # refused, it would come again, and what comes after it would wait
                    await self._inbound.set_aside(body, TOO_LONG)
                await self._inbound.finish()
        except (SympoziumError, TimeoutError) as error:
            log.warning("update not stored", extra={"action": "retry", "cause": str(error)})
            return _refusal(503, "not stored; bring it again", retry_after_s=RETRY_AFTER_S)
        self._health.inbound_is_up()
        return web.json_response({})

    async def supervise_loop(self, stop: asyncio.Event) -> None:
        """See that the webhook is set and works, until *stop* is set."""
        while not stop.is_set():
            wait_s = await self._look()
            await pause(wait_s, stop)

    async def _look(self) -> float:
        """Look once; return in how many seconds to look again."""
        try:
            await self._account.introduce()
            trouble = _trouble(await self._account.set_webhook())
        except AccountRefusedError as error:
            self._health.inbound_is_down(str(error), reason=error.reason)
        except PermanentError as error:
            self._health.inbound_is_down(str(error), reason="WebhookRefused")
        except TransientError as error:
            self._health.inbound_is_down(str(error))
            return 1.0
        else:
            if not trouble:
                self._health.inbound_is_up()
            else:
                self._health.inbound_is_down(trouble, reason="WebhookUnreachable")
        return LOOK_EVERY_S


def _trouble(info: dict[str, Any]) -> str:
    """Return why Telegram cannot bring what waits; empty where it can."""
    waiting, failed_at = info.get("pending_update_count", 0), info.get("last_error_date", 0)
    if not waiting or time() - failed_at > FAILURE_COUNTS_FOR_S:
        return ""
    return f"{waiting} updates wait at Telegram, which says: {info.get('last_error_message', '')}"


def decoded(body: bytes) -> object:
    """Return the update, or, where it is no JSON, a text for a person to look at."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body.decode(errors="replace")


async def _read(request: web.Request) -> tuple[bytes, bool]:
    """Return the body up to `MAX_BODY_BYTES`, and whether that is the whole of it."""
    body = bytearray()
    async for part in request.content.iter_any():
        body += part
        if len(body) > MAX_BODY_BYTES:
            return bytes(body[:MAX_BODY_BYTES]), False
    return bytes(body), True


def _is_same(presented: str, secret: str) -> bool:
    """Compare in constant time. What was presented may be any bytes."""
    return hmac.compare_digest(presented.encode(errors="surrogateescape"), secret.encode())


def _refusal(status: int, text: str, *, retry_after_s: int = 0) -> web.Response:
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s else {}
    return web.json_response({"error": text}, status=status, headers=headers)
