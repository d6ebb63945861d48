"""Calls of the Bot API, through python-telegram-bot's `Bot` over this program's one HTTP client.

The library would bring an HTTP client of its own, whose errors and logs name the
address, and the address holds the token. This one lets no address out, follows no
redirection and asks no proxy: with `SYMPOZIUM_API_URL` set nothing is called elsewhere.
"""

import io
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
from typing_extensions import override

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import MAX_FILE_BYTES
from sympozium.runtime.logs import redacted
from sympozium_telegram.library import (
    BaseRequest,
    Bot,
    InputFile,
    RequestData,
    TelegramError,
)
from sympozium_telegram.refusals import (
    Parameters,
    RefusedError,
    TooLongError,
    UnreachableError,
    translated,
)

CALL_TIMEOUT_S = 15.0
UPLOAD_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""More than a hundred updates of the longest texts; an answer beyond it is not read on."""

MAX_BEGINNING_BYTES = 256 * 1024
"""How much is handed on of an answer that is too long."""

MAX_DESCRIPTION_CHARS = 200


class BotApi:
    """One bot account. Every call is one attempt, within its own deadline.

    Args:
        token: Stands in every address, and in nothing that leaves this class.
        api_url: Base address of the Bot API.
        session: Carries every call; made by `http_session`.
    """

    def __init__(self, token: str, api_url: str, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._files = f"{api_url}/file/bot{token}/"
        request = _Request(session, token)
        self._bot = _RawBot(
            token,
            base_url=f"{api_url}/bot",
            base_file_url=f"{api_url}/file/bot",
            request=request,
            get_updates_request=request,
        )

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, timeout_s: float = 0.0
    ) -> Any:
        """Call *method* and return its `result` as JSON has it. Parameters of None are left out.

        Raises:
            TransientError, PermanentError: As `refusals.translated` reads the answer.
        """
        given = {name: value for name, value in (params or {}).items() if value is not None}
        has_file = any(isinstance(value, InputFile) for value in given.values())
        allowed_s = timeout_s or (UPLOAD_TIMEOUT_S if has_file else CALL_TIMEOUT_S)
        try:
            return await self._bot.call(method, given, allowed_s)
        except TelegramError as error:
            raise translated(error, method) from None

    async def call_object(
        self, method: str, params: Mapping[str, Any] | None = None, *, timeout_s: float = 0.0
    ) -> dict[str, Any]:
        """Call a *method* whose `result` is an object; raises as `call`.

        What else a server may answer is transient: the call may have been carried out.
        """
        result = await self.call(method, params, timeout_s=timeout_s)
        if not isinstance(result, dict):
            raise TransientError(f"cannot read the answer to {method}: it is no object")
        return result

    async def download(self, file_path: str) -> bytes:
        """Return the content of a file whose path `getFile` told.

        Raises:
            TransientError: It may be had later.
            PermanentError: It cannot be had: gone, too big, or not a path of the server.
        """
        if file_path.startswith("/") or ".." in file_path.split("/"):
            raise PermanentError(
                "cannot download a file: the server names a path of its own disk; "
                "run it without --local"
            )
        timeout = aiohttp.ClientTimeout(total=UPLOAD_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        url = self._files + quote(file_path)
        try:
            async with self._session.get(url, timeout=timeout, allow_redirects=False) as answer:
                if answer.status >= 500 or answer.status == 429:
                    raise TransientError(f"cannot download a file: status {answer.status}")
                if answer.status != 200:
                    raise PermanentError(f"cannot download a file: status {answer.status}")
                data, is_whole = await _read(answer, MAX_FILE_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransientError(f"cannot download a file: {type(error).__name__}") from None
        if not is_whole:
            raise PermanentError(f"cannot download a file: it is over {MAX_FILE_BYTES} bytes")
        return data


def http_session() -> aiohttp.ClientSession:
    """Make the client that carries every call of a bot: no proxy, no cookies, no redirections."""
    return aiohttp.ClientSession(
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=100),
    )


class _RawBot(Bot):
    """The library's bot, asked for what the platform said and not for the library's objects.

    One field that the library cannot read would otherwise hide every update after it.
    """

    __slots__ = ()

    async def call(self, method: str, params: dict[str, Any], timeout_s: float) -> Any:
        return await self._post(method, params, read_timeout=timeout_s)


class _Request(BaseRequest):
    """The library's port to HTTP, over aiohttp."""

    __slots__ = ("_session", "_token")

    def __init__(self, session: aiohttp.ClientSession, token: str) -> None:
        self._session = session
        self._token = token

    @property
    @override
    def read_timeout(self) -> float:
        return CALL_TIMEOUT_S

    @override
    async def initialize(self) -> None:
        """Nothing to do: the session is there."""

    @override
    async def shutdown(self) -> None:
        """Nothing to do: the session belongs to who made it."""

    @override
    async def do_request(  # type: ignore[override] # the library calls it by these names only
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: object = None,
        **_: object,
    ) -> tuple[int, bytes]:
        allowed_s = read_timeout if isinstance(read_timeout, float) else CALL_TIMEOUT_S
        timeout = aiohttp.ClientTimeout(total=allowed_s, sock_connect=CONNECT_TIMEOUT_S)
        try:
            async with self._session.request(
                method, url, data=_form(request_data), timeout=timeout, allow_redirects=False
            ) as answer:
                data, is_whole = await _read(answer, MAX_ANSWER_BYTES)
        except TimeoutError:
            raise UnreachableError(f"no answer within {allowed_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(type(error).__name__) from None
        if not is_whole:
            raise TooLongError(data[:MAX_BEGINNING_BYTES])
        return self._checked(answer.status, data)

    def _checked(self, status: int, data: bytes) -> tuple[int, bytes]:
        answer = self.parse_json_payload(data) if status < 500 else {}
        if 200 <= status < 300 and answer.get("ok") is True and "result" in answer:
            return status, data
        described = str(answer.get("description") or "no description")
        raise RefusedError(
            status if status >= 300 else 502,
            redacted(described.replace(self._token, "[token]"))[:MAX_DESCRIPTION_CHARS],
            _parameters(answer.get("parameters")),
        )

    @staticmethod
    @override
    def parse_json_payload(payload: bytes) -> Any:
        """Read an answer; what cannot be read is in no log, because it may be people's words."""
        try:
            answer = json.loads(payload)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise UnreachableError("the answer is not a JSON object")
        return answer


def _parameters(given: object) -> Parameters:
    """Read `parameters` of a refusal; what is not as documented counts as not there."""
    if not isinstance(given, dict):
        return Parameters()
    wait_s, chat = given.get("retry_after"), given.get("migrate_to_chat_id")
    return Parameters(
        float(wait_s) if isinstance(wait_s, int | float) else 0.0,
        chat if isinstance(chat, int) else 0,
    )


def _form(request_data: RequestData | None) -> aiohttp.FormData:
    form = aiohttp.FormData()
    if request_data is None:
        return form
    for name, value in request_data.json_parameters.items():
        form.add_field(name, value)
    for name, (filename, content, media_type) in request_data.multipart_data.items():
        body = io.BytesIO(content) if isinstance(content, bytes) else content
        form.add_field(name, body, filename=filename, content_type=media_type)
    return form


async def _read(answer: aiohttp.ClientResponse, max_bytes: int) -> tuple[bytes, bool]:
    """Return the body up to *max_bytes*, and whether that is the whole of it."""
    data = bytearray()
    async for part in answer.content.iter_chunked(64 * 1024):
        data += part
        if len(data) > max_bytes:
            return bytes(data[:max_bytes]), False
    return bytes(data), True
