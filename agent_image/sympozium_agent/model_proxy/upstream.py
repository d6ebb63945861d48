"""The model endpoint behind the proxy."""

import logging
import os
import re
import ssl
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sympozium.runtime.logs import redact
from sympozium_agent.lean_imports import unused_hidden
from sympozium_agent.model_errors import BAD_ANSWER, SILENT, UNREACHABLE

with unused_hidden():
    import httpcore2  # noqa: F401 - loaded with the first client otherwise, in every container
    import httpx2

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5.0
WRITE_TIMEOUT_S = 10.0
SLACK_S = 2.0
"""By how much the proxy is more patient than the agent, which knows best what to say."""

_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where the HTTP library finds authorities. Source: httpcore2.default_ssl_context."""

_ahead: list[httpx2.AsyncClient] = []
"""A client that nobody has used yet, in a process from which bridges are forked."""

_SAFE_WORD = re.compile(r"[a-z0-9_.]{1,64}")
_MAX_ERROR_BYTES = 64 * 1024


class UpstreamError(Exception):
    """The endpoint gave no response, or broke off in the middle of one.

    Attributes:
        status: What the agent is answered when nothing was sent to it yet.
        code: One of `model_errors`.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Endpoint:
    """Where the model is, and with what key.

    Attributes:
        base_url: With its `/v1`.
        key_file: Where the key of now is, if it may be another than *key* by then.
    """

    base_url: str
    idle_timeout_s: float
    key: str = field(default="", repr=False)
    key_file: Path | None = None


class _ErrorDetail(msgspec.Struct):
    code: str | None = None
    type: str | None = None


class _ErrorBody(msgspec.Struct):
    error: _ErrorDetail


class Upstream:
    """Sends requests to one endpoint. Made by `open_upstream`."""

    def __init__(self, client: httpx2.AsyncClient, endpoint: Endpoint) -> None:
        self._client = client
        self._url = f"{endpoint.base_url.rstrip('/')}/chat/completions"
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        self._key_file = endpoint.key_file
        if endpoint.key:
            self._headers["Authorization"] = f"Bearer {endpoint.key}"

    @asynccontextmanager
    async def complete(self, body: bytes, accept: str) -> AsyncIterator[httpx2.Response]:
        """Yield the response to a chat-completions request, its body still unread.

        Raises:
            UpstreamError: There is none. Also out of the block, when reading breaks off.
        """
        try:
            response = await self._send(body, accept)
            if response.status_code == 401 and self._has_another_key():
                await response.aclose()
                response = await self._send(body, accept)
            try:
                yield response
            finally:
                await response.aclose()
        except httpx2.ReadTimeout:
            raise UpstreamError(
                504, SILENT, "the model endpoint sent nothing for too long"
            ) from None
        except (httpx2.RemoteProtocolError, httpx2.DecodingError):
            raise UpstreamError(
                502, UNREACHABLE, "the model endpoint closed the connection"
            ) from None
        except httpx2.InvalidURL:
            raise UpstreamError(502, BAD_ANSWER, "the model endpoint's URL is invalid") from None
        except httpx2.TransportError:
            raise UpstreamError(502, UNREACHABLE, "the model endpoint cannot be reached") from None

    async def _send(self, body: bytes, accept: str) -> httpx2.Response:
        headers = {**self._headers, "Accept": accept}
        request = self._client.build_request("POST", self._url, content=body, headers=headers)
        return await self._client.send(request, stream=True)

    def _has_another_key(self) -> bool:
        """Take the key that is there now; return whether it is another: it was rotated."""
        try:
            key = self._key_file.read_text(encoding="ascii").strip() if self._key_file else ""
        except (OSError, UnicodeError):
            return False
        bearer = f"Bearer {key}"
        if not key or bearer == self._headers.get("Authorization"):
            return False
        redact(key)
        self._headers["Authorization"] = bearer
        log.info("model key was rotated", extra={"action": "retry"})
        return True


@asynccontextmanager
async def open_upstream(endpoint: Endpoint) -> AsyncIterator[Upstream]:
    """Yield a connection pool for *endpoint*; HTTPS_PROXY and NO_PROXY are honoured."""
    client = _ahead.pop() if _ahead and not _is_told_of_others() else _new_client(endpoint)
    client.timeout = httpx2.Timeout(
        endpoint.idle_timeout_s + SLACK_S,
        connect=CONNECT_TIMEOUT_S,
        write=WRITE_TIMEOUT_S,
        pool=CONNECT_TIMEOUT_S,
    )
    async with client:
        yield Upstream(client, endpoint)


def prepare() -> None:
    """Have a client ready for the next upstream of this process, or of one forked from it.

    It knows the authorities, which take 20 ms to load.
    """
    if not _ahead:
        _ahead.append(httpx2.AsyncClient(trust_env=False))


def _is_told_of_others() -> bool:
    """Say whether the environment names proxies or authorities; only a new client heeds it."""
    return any(os.environ.get(name) for name in _AUTHORITIES) or bool(urllib.request.getproxies())


def _new_client(endpoint: Endpoint) -> httpx2.AsyncClient:
    if endpoint.base_url.startswith("http://"):
        return httpx2.AsyncClient(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    return httpx2.AsyncClient()


async def error_word(response: httpx2.Response) -> str:
    """Return the endpoint's own word for an error (`model_not_found`), or "" without a safe one.

    Its sentence is left out: it may quote the key, the account or an address.
    """
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _MAX_ERROR_BYTES:
            return ""
    try:
        detail = msgspec.json.decode(body, type=_ErrorBody).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    words = (word for word in (detail.code, detail.type) if word)
    return next((word for word in words if _SAFE_WORD.fullmatch(word)), "")
