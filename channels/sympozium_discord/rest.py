"""Calling Discord's HTTP API: one attempt a call, and what came of it said at once.

The library's own client waits out a 429 and repeats a refused call within the call.
Then nobody above it knows that a chat must rest, and what else waits for that chat goes
on calling. So the library names the routes, and this module makes the calls.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from sympozium.chat.errors import PlatformBusyError
from sympozium.contract.errors import PermanentError, TransientError
from sympozium_discord.addresses import Addresses
from sympozium_discord.buckets import Buckets
from sympozium_discord.library import Route
from sympozium_discord.refusals import refusal

CALL_TIMEOUT_S = 15.0
FILE_TIMEOUT_S = 60.0
WAITED_OUT_S = 1.0
"""A limit that is over so soon is waited for within the call; reactions have one of 0.25 s."""

USER_AGENT = "DiscordBot (https://sympozium.ai, 0.1)"
"""Discord refuses programs that do not say so. Source: its API reference, "User Agent"."""

JSON_TYPE = "application/json"
NO_CONTENT = 204
TOO_LARGE = "cannot fetch a file: it is longer than what is taken"


@dataclass(frozen=True)
class Upload:
    """One file beside the JSON of a message."""

    name: str
    media_type: str
    data: bytes


_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}", re.IGNORECASE)


class Rest:
    """The HTTP API, as one bot.

    Every method makes one attempt and raises

    * `TransientError`: no answer, or one of 500 and above: it may or may not be done;
    * `PlatformBusyError`: nothing was done, and nothing may be sent for a while;
    * what `refusals.refusal` makes of any other answer.
    """

    def __init__(self, session: aiohttp.ClientSession, addresses: Addresses, token: str) -> None:
        self._session = session
        self._addresses = addresses
        self._headers = {"Authorization": f"Bot {token}", "User-Agent": USER_AGENT}
        self._buckets = Buckets()

    async def call(
        self,
        route: Route,
        body: object = None,
        *,
        upload: Upload | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """Make one call; return the JSON that Discord answers, or None where it says nothing."""
        what = f"{route.method} {route.path}"
        await self._wait(route, what)
        with self._buckets.taken(route):
            response, text = await self._sent(route, _parts(body, upload, params))
            self._buckets.learn(route, response.headers)
        answer = _decoded(response, text)
        if 200 <= response.status < 300:
            return answer
        refused = refusal(what, response.status, response.headers, answer)
        if isinstance(refused, PlatformBusyError):
            self._buckets.punish(route, for_s=refused.retry_after_s, is_overall=refused.is_overall)
        raise refused

    async def fetch(self, url: str, *, max_bytes: int) -> bytes:
        """Return a file that somebody attached.

        Raises:
            PermanentError: It is gone, longer than *max_bytes*, or not at Discord.
        """
        address = self._addresses.file(url)
        try:
            async with (
                asyncio.timeout(FILE_TIMEOUT_S),
                self._session.get(
                    address, headers={"User-Agent": USER_AGENT}, allow_redirects=False
                ) as response,
            ):
                if response.status == 429 or response.status >= 500:
                    raise TransientError(f"cannot fetch a file: Discord answers {response.status}")
                if response.status != 200:
                    raise PermanentError(f"cannot fetch a file: Discord answers {response.status}")
                return await _read(response, max_bytes)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise TransientError(f"cannot fetch a file: {type(error).__name__}") from None

    async def _wait(self, route: Route, what: str) -> None:
        while wait_s := self._buckets.wait_s(route):
            if wait_s > WAITED_OUT_S:
                raise PlatformBusyError(
                    f"cannot {what} now: its limit is used up for {wait_s:.1f} s",
                    retry_after_s=wait_s,
                )
            await asyncio.sleep(wait_s)

    async def _sent(
        self, route: Route, parts: dict[str, Any]
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        url = route.url.replace(Route.BASE, self._addresses.api, 1)
        limit_s = FILE_TIMEOUT_S if "data" in parts else CALL_TIMEOUT_S
        try:
            async with (
                asyncio.timeout(limit_s),
                self._session.request(
                    route.method, url, headers=self._headers, allow_redirects=False, **parts
                ) as response,
            ):
                return response, await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            what = f"{route.method} {route.path}"
            raise TransientError(f"cannot {what}: {type(error).__name__}") from None


def _parts(body: object, upload: Upload | None, params: Mapping[str, str] | None) -> dict[str, Any]:
    if upload is not None:
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("payload_json", json.dumps(body), content_type=JSON_TYPE)
        is_type = _MEDIA_TYPE.fullmatch(upload.media_type) is not None
        media_type = upload.media_type if is_type else "application/octet-stream"
        form.add_field("files[0]", upload.data, filename=upload.name, content_type=media_type)
        return {"data": form}
    return ({} if body is None else {"json": body}) | ({"params": params} if params else {})


def _decoded(response: aiohttp.ClientResponse, text: bytes) -> Any:
    if response.status == NO_CONTENT or (response.status >= 400 and not _is_json(response)):
        return None
    try:
        return json.loads(text if _is_json(response) else b"")
    except ValueError:
        raise TransientError("cannot read Discord's answer: it is not JSON") from None


def _is_json(response: aiohttp.ClientResponse) -> bool:
    return response.content_type == JSON_TYPE


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    if (response.content_length or 0) > max_bytes:
        raise PermanentError(TOO_LARGE)
    data = bytearray()
    async for piece in response.content.iter_chunked(1 << 16):
        data += piece
        if len(data) > max_bytes:
            raise PermanentError(TOO_LARGE)
    return bytes(data)
