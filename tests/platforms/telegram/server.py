"""A stand-in Bot API server: true offsets, webhooks, files, and every fault on demand."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from tests.platforms.telegram.faults import ApiError, Faults, ResetError
from tests.platforms.telegram.methods import Call, Methods, Upload
from tests.platforms.telegram.world import World

TOKEN = "7000001:AAbotTokenThatMustNeverBeSeen0123456"
WEBHOOK_RETRY_S = 0.05
WEBHOOK_TIMEOUT_S = 5.0


class BotApiServer:
    """One server with one bot. Made by `bot_api_server`."""

    def __init__(self) -> None:
        self.world = World()
        self.faults = Faults()
        self.methods = Methods(self.world)
        self.hosts: set[str] = set()
        self.called: list[str] = []
        self.url = ""
        self._poll_number = 0
        self._runner: web.AppRunner | None = None
        self._is_polled = asyncio.Event()
        self.webhook_answers: list[int] = []
        self.conflicts = 0

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/bot{token}/{method}", self._call)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close everything."""
        self.world.news.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def cut(self) -> None:
        """Reset every connection that is open."""
        assert self._runner is not None
        server = self._runner.server
        for connection in list(server.connections if server else []):
            if connection.transport is not None:
                connection.transport.abort()

    async def polled(self) -> None:
        """Return when a poll waits for news: between two polls nothing is asked."""
        await self._is_polled.wait()

    async def _call(self, request: web.Request) -> web.StreamResponse:
        self.hosts.add(request.host)
        call = await _read_call(request)
        self.called.append(call.method)
        if request.match_info["token"] != TOKEN or self.faults.is_revoked:
            return _refusal(ApiError(401, "Unauthorized"))
        try:
            return await self._answer(call)
        except ApiError as error:
            return _refusal(error)
        except ResetError as reset:
            if reset.after:
                self.methods.carry_out(call)
            _abort(request)
            return web.Response()

    async def _answer(self, call: Call) -> web.StreamResponse:
        if self.faults.raw_answers and self.faults.raw_answers[0][0] == call.method:
            _, status, body = self.faults.raw_answers.popleft()
            return web.Response(status=status, body=body, content_type="application/json")
        if call.method in self.faults.held:
            await self.faults.held[call.method].wait()
        if call.method in self.faults.unknown:
            raise ApiError(404, "Not Found")
        planned = self.faults.check(call.method, call.params)
        if call.method == "getUpdates":
            return _result(await self._get_updates(call))
        if planned is not None:
            raise ResetError(after=True)
        return _result(self.methods.carry_out(call))

    async def _get_updates(self, call: Call) -> list[dict[str, Any]]:
        """Return what waits from the offset on; what is below it is confirmed."""
        if self.world.webhook.get("url"):
            raise ApiError(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )
        self._poll_number += 1
        number = self._poll_number
        self.world.news.set()  # ends an earlier poll
        self.world.confirm_before(call.number("offset"))
        ends_at = asyncio.get_running_loop().time() + call.number("timeout")
        while True:
            found = self._found(call)
            now = asyncio.get_running_loop().time()
            if found or now >= ends_at:
                return found
            await self._news(ends_at - now)
            if self._poll_number != number:
                self.conflicts += 1
                raise ApiError(
                    409,
                    "Conflict: terminated by other getUpdates request; make sure that only one "
                    "bot instance is running",
                )

    def _found(self, call: Call) -> list[dict[str, Any]]:
        offset, limit = call.number("offset"), call.number("limit") or 100
        again = list(self.world.again)
        self.world.again.clear()
        new = [update for number, update in self.world.waiting if number >= offset]
        return [*again, *new][: max(limit, len(again))]

    async def _news(self, for_s: float) -> None:
        self.world.news.clear()
        self._is_polled.set()
        try:
            async with asyncio.timeout(for_s):
                await self.world.news.wait()
        except TimeoutError:
            return
        finally:
            self._is_polled.clear()

    async def _download(self, request: web.Request) -> web.StreamResponse:
        self.hosts.add(request.host)
        self.called.append("download")
        if request.match_info["token"] != TOKEN:
            return _refusal(ApiError(401, "Unauthorized"))
        for file_id, path in self.world.paths.items():
            if path == request.match_info["path"]:
                return web.Response(body=self.world.files[file_id])
        return _refusal(ApiError(404, "Not Found"))

    async def deliver_loop(self) -> None:
        """Bring updates to the webhook, if one is set, until cancelled."""
        async with aiohttp.ClientSession() as session:
            while True:
                if not (self.world.webhook.get("url") and await self._deliver(session)):
                    self.world.news.clear()
                    if not self.world.webhook.get("url") or not self._has_work():
                        await self.world.news.wait()

    def _has_work(self) -> bool:
        return bool(self.world.waiting or self.world.again)

    async def _deliver(self, session: aiohttp.ClientSession) -> bool:
        """Bring one update; return whether there was one."""
        is_again = bool(self.world.again)
        if is_again:
            number, update = 0, self.world.again.popleft()
        elif self.world.waiting:
            number, update = self.world.waiting[0]
        else:
            return False
        status, wait_s = await self._post(session, update)
        self.webhook_answers.append(status)
        if 200 <= status < 300:
            if not is_again:
                self.world.taken(number)
        else:
            if self.world.webhook:  # it may have been deleted meanwhile
                self.world.webhook["last_error_message"] = f"Wrong response: {status}"
                self.world.webhook["last_error_date"] = 1
            await asyncio.sleep(min(wait_s, 0.5))
        return True

    async def _post(
        self, session: aiohttp.ClientSession, update: dict[str, Any]
    ) -> tuple[int, float]:
        webhook = self.world.webhook
        headers = {
            "X-Telegram-Bot-Api-Secret-Token": webhook["secret_token"],
            "Content-Type": "application/json",
        }
        body = io.BytesIO(json.dumps(update).encode())
        timeout = aiohttp.ClientTimeout(total=WEBHOOK_TIMEOUT_S)
        try:
            async with session.post(
                webhook["url"], data=body, headers=headers, timeout=timeout
            ) as answer:
                return answer.status, float(answer.headers.get("Retry-After", WEBHOOK_RETRY_S))
        except (aiohttp.ClientError, TimeoutError):
            return 0, WEBHOOK_RETRY_S


async def _read_call(request: web.Request) -> Call:
    params, files = dict(request.query), dict[str, Upload]()
    if request.content_type == "application/json":
        body = await request.json()
        params |= {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in body.items()
        }
    else:
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                files[name] = (value.filename, value.file.read())
            else:
                params[name] = str(value)
    return Call(request.match_info["method"], params, files)


def _result(result: Any) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def _refusal(error: ApiError) -> web.Response:
    body: dict[str, Any] = {
        "ok": False,
        "error_code": error.code,
        "description": error.description,
    }
    if error.parameters:
        body["parameters"] = error.parameters
    return web.json_response(body, status=error.code)


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


@asynccontextmanager
async def bot_api_server() -> AsyncIterator[BotApiServer]:
    """Start a server, and end it with the block."""
    server = BotApiServer()
    await server.start()
    try:
        async with asyncio.TaskGroup() as group:
            delivering = group.create_task(server.deliver_loop())
            yield server
            delivering.cancel()
    finally:
        await server.stop()
