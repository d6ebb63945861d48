"""Calls of the Bot API: what becomes of every answer, and what nobody gets to see."""

import asyncio
import logging
import traceback

import aiohttp
import pytest
from aiohttp import web

from sympozium.chat.errors import (
    AccountRefusedError,
    ChatClosedError,
    MarkupRefusedError,
    PlatformBusyError,
    PostGoneError,
    ThreadGoneError,
)
from sympozium.contract.errors import PermanentError, SympoziumError, TransientError
from sympozium.testing.channels.driver import Fault
from sympozium.testing.nats_server import free_port
from sympozium_telegram.bot_api import BotApi, http_session
from sympozium_telegram.refusals import (
    ChatMovedError,
    ConflictError,
    NotModifiedError,
    Parameters,
    RefusedError,
    UnknownMethodError,
    translated,
)
from tests.platforms.telegram.driver import TelegramDriver
from tests.platforms.telegram.faults import Planned
from tests.platforms.telegram.server import TOKEN, BotApiServer

ANY = frozenset({"getMe"})


async def test_a_call_returns_what_the_platform_says(api: BotApi) -> None:
    me = await api.call("getMe")
    assert me["username"] == "sympozium_test_bot"


@pytest.mark.parametrize(
    ("code", "description", "kind"),
    [
        (400, "Bad Request: can't parse entities: Unsupported start tag", MarkupRefusedError),
        (400, "Bad Request: message is not modified: specified new", NotModifiedError),
        (400, "Bad Request: message to edit not found", PostGoneError),
        (400, "Bad Request: message can't be edited", PostGoneError),
        (400, "Bad Request: message thread not found", ThreadGoneError),
        (400, "Bad Request: TOPIC_DELETED", ThreadGoneError),
        (400, "Bad Request: chat not found", ChatClosedError),
        (400, "Bad Request: not enough rights to send text messages", ChatClosedError),
        (400, "Bad Request: TOPIC_CLOSED", ChatClosedError),
        (400, "Bad Request: something new", PermanentError),
        (401, "Unauthorized", AccountRefusedError),
        (403, "Forbidden: bot was blocked by the user", ChatClosedError),
        (403, "Forbidden: bot was kicked from the group chat", ChatClosedError),
        (404, "Not Found", UnknownMethodError),
        (409, "Conflict: terminated by other getUpdates request", ConflictError),
        (413, "Request Entity Too Large", PermanentError),
        (429, "Too Many Requests", PlatformBusyError),
        (500, "Internal Server Error", TransientError),
        (502, "Bad Gateway", TransientError),
    ],
)
def test_every_refusal_has_its_meaning(code: int, description: str, kind: type[Exception]) -> None:
    error = translated(RefusedError(code, description, Parameters()), "sendMessage")
    assert type(error) is kind


def test_a_closed_chat_has_a_reason_for_its_operator() -> None:
    error = translated(
        RefusedError(403, "Forbidden: bot was blocked by the user", Parameters()), "x"
    )
    assert isinstance(error, ChatClosedError)
    assert error.reason == "BotBlocked"


def test_a_token_that_is_no_token_is_refused_by_not_found() -> None:
    error = translated(RefusedError(404, "Not Found", Parameters()), "getMe")
    assert isinstance(error, AccountRefusedError)


def test_a_group_that_moved_says_where_it_is() -> None:
    error = translated(RefusedError(400, "Bad Request: upgraded", Parameters(migrate_to=-5)), "x")
    assert isinstance(error, ChatMovedError)
    assert error.chat == -5


async def test_a_busy_platform_says_for_how_long(api: BotApi, server: BotApiServer) -> None:
    server.faults.planned.append(Planned(Fault.BUSY, ANY, retry_after_s=7))
    with pytest.raises(PlatformBusyError) as busy:
        await api.call("getMe")
    assert busy.value.retry_after_s == 7


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.LOST_ANSWER, Fault.BROKEN])
async def test_what_may_pass_is_transient(api: BotApi, server: BotApiServer, fault: Fault) -> None:
    server.faults.planned.append(Planned(fault, ANY))
    with pytest.raises(TransientError):
        await api.call("getMe")
    assert (await api.call("getMe"))["is_bot"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>not json</html>"),
        (200, b"[1, 2]"),
        (200, b'{"ok": true}'),
        (200, b'{"ok": false, "description": 5, "parameters": "x"}'),
        (200, b"[" * 100_000),
        (502, b"<html>Bad Gateway</html>"),
        (302, b"{}"),
    ],
)
async def test_an_answer_that_cannot_be_read_is_an_error_of_ours(
    api: BotApi, server: BotApiServer, status: int, body: bytes
) -> None:
    server.faults.raw_answers.append(("getMe", status, body))
    with pytest.raises(SympoziumError):
        await api.call("getMe")


async def test_a_call_that_is_not_answered_ends(api: BotApi, server: BotApiServer) -> None:
    server.faults.held["getMe"] = asyncio.Event()
    with pytest.raises(TransientError, match="no answer within"):
        await api.call("getMe", timeout_s=0.2)
    server.faults.held.pop("getMe").set()


async def test_a_file_is_downloaded_from_the_same_server(
    api: BotApi, driver: TelegramDriver
) -> None:
    file_id = driver.world.keep_file("report.txt", b"content")
    found = await api.call("getFile", {"file_id": file_id})
    assert await api.download(found["file_path"]) == b"content"


@pytest.mark.parametrize(
    "path",
    ["/var/lib/telegram-bot-api/x", "../../etc/passwd", "http://127.0.0.1:1/x", "//evil/x", "gone"],
)
async def test_a_file_is_downloaded_from_nowhere_else(
    api: BotApi, server: BotApiServer, path: str
) -> None:
    with pytest.raises(PermanentError):
        await api.download(path)
    assert server.hosts <= {server.url.removeprefix("http://")}


async def test_a_redirection_is_not_followed(unused_tcp_port: int) -> None:
    called: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        called.append(request.path)
        target = f"http://localhost:{unused_tcp_port}/elsewhere"
        raise web.HTTPTemporaryRedirect(target)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", elsewhere)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    try:
        async with http_session() as session:
            api = BotApi(TOKEN, f"http://127.0.0.1:{unused_tcp_port}", session)
            with pytest.raises(SympoziumError):
                await api.call("getMe")
            with pytest.raises(SympoziumError):
                await api.download("a.txt")
    finally:
        await runner.cleanup()
    assert "/elsewhere" not in called


async def test_no_proxy_of_the_environment_is_asked(
    server: BotApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with http_session() as session:
        assert (await BotApi(TOKEN, server.url, session).call("getMe"))["is_bot"]


async def test_the_token_is_in_no_error_and_no_log(
    server: BotApiServer, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    nobody = BotApi(TOKEN, f"http://127.0.0.1:{free_port()}", session)
    api = BotApi(TOKEN, server.url, session)
    echo = f'{{"ok": false, "description": "no such path /bot{TOKEN}/getMe"}}'.encode()
    server.faults.raw_answers.append(("getMe", 400, echo))
    server.faults.raw_answers.append(("getMe", 200, b"not json " + TOKEN.encode()))
    server.faults.planned.append(Planned(Fault.RESET, ANY))
    for caller, method in ((nobody, "getMe"), (api, "getMe"), (api, "getMe"), (api, "getMe")):
        try:
            await caller.call(method)
        except SympoziumError as error:
            told.append("".join(traceback.format_exception(error)))
    for caller in (nobody, api):
        try:
            await caller.download("nothing")
        except SympoziumError as error:
            told.append("".join(traceback.format_exception(error)))
    told.append(repr(api))
    assert len(told) == 7
    assert not [text for text in told if TOKEN in text]
    assert TOKEN.partition(":")[2] not in caplog.text
