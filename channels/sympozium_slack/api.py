"""Calling Slack's methods: one attempt each, in time, and never during a penalty."""

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from sympozium.chat.errors import PlatformBusyError
from sympozium.contract.errors import PermanentError, TransientError
from sympozium_slack.addresses import Addresses
from sympozium_slack.refusals import refusal

CALL_TIMEOUT_S = 10.0
TRANSFER_TIMEOUT_S = 60.0

_QUERIES = ("auth.", "bots.", "conversations.", "files.", "users.", "apps.")
"""Methods that take no JSON. Source: https://docs.slack.dev/apis/web-api (content types)."""

Answer = dict[str, Any]


class Api:
    """The methods of one token.

    Slack counts by method (and for posts by channel) and says with 429 how long a
    method must rest. Until then it is refused here: calling on prolongs the penalty.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        addresses: Addresses,
        token: str,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.session = session
        self.addresses = addresses
        self._token = token
        self._clock = clock
        self._rests: dict[str, float] = {}
        self._client = AsyncWebClient(
            token=token,
            base_url=addresses.api,
            session=session,
            retry_handlers=[],
            logger=_quiet_log(),
        )
        self._client.proxy = None  # the session knows the environment's, and its exceptions

    async def call(self, method: str, **arguments: Any) -> Answer:
        """Call a method and return its answer. Arguments that are None are left out.

        Raises:
            PlatformBusyError: It asks to wait, or did so before.
            TransientError: No answer in time; the method may or may not have had its effect.
            PermanentError: One of `refusals.refusal`.
        """
        return (await self.call_with_headers(method, **arguments))[0]

    async def call_with_headers(self, method: str, **arguments: Any) -> tuple[Answer, Answer]:
        """As `call`; return the answer and its headers."""
        rest = f"{method} {arguments['channel']}" if method == "chat.postMessage" else method
        self._refuse_while_resting(rest, method)
        given = {name: value for name, value in arguments.items() if value is not None}
        is_query = method.startswith(_QUERIES)
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                answer = await self._client.api_call(
                    method, params=given if is_query else None, json=None if is_query else given
                )
        except SlackApiError as error:
            failed = _refused(method, error)
            if isinstance(failed, PlatformBusyError):
                self._rests[rest] = self._clock() + failed.retry_after_s
            raise failed from None  # its text holds the whole answer
        except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as error:
            raise TransientError(
                f"cannot call {method}: no answer ({type(error).__name__})"
            ) from None
        return (answer.data if isinstance(answer.data, dict) else {}), dict(answer.headers)

    @asynccontextmanager
    async def read(self, url: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open a file of Slack's, with the token.

        Raises:
            PermanentError: The address is none of Slack's.
        """
        address = self.addresses.of_file(url)
        async with self.session.get(
            address, headers={"Authorization": f"Bearer {self._token}"}, allow_redirects=False
        ) as response:
            yield response

    async def answer(self, url: str, message: Answer) -> None:
        """Answer a command at the address that Slack gave with it; raises as `write`."""
        await self._post(url, "answer a command", json=message)

    async def write(self, url: str, data: bytes) -> None:
        """Send the bytes of a file to the address that Slack named for it.

        Raises:
            TransientError: They did not arrive, or nobody said so.
            PermanentError: The address is none of Slack's.
        """
        await self._post(url, "upload", data=io.BytesIO(data))  # bytes would block the loop

    async def _post(self, url: str, what: str, **body: Any) -> None:
        address = self.addresses.of_file(url)
        try:
            async with asyncio.timeout(TRANSFER_TIMEOUT_S):
                async with self.session.post(address, allow_redirects=False, **body) as response:
                    status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransientError(f"cannot {what}: no answer ({type(error).__name__})") from None
        if status >= 500 or status == 429:
            raise TransientError(f"cannot {what} now: Slack answers {status}")
        if status != 200:
            raise PermanentError(f"cannot {what}: Slack answers {status}")

    def _refuse_while_resting(self, rest: str, method: str) -> None:
        left_s = self._rests.get(rest, 0.0) - self._clock()
        if left_s > 0:
            raise PlatformBusyError(
                f"cannot call {method} now: Slack asked to wait", retry_after_s=left_s
            )
        self._rests.pop(rest, None)


@asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Yield the session of all calls; a proxy of the environment is used as by the library."""
    connector = aiohttp.TCPConnector(limit=100, limit_per_host=50)
    async with aiohttp.ClientSession(connector=connector, trust_env=True) as session:
        yield session


def _refused(method: str, error: SlackApiError) -> Exception:
    response = error.response
    status = int(getattr(response, "status_code", None) or getattr(response, "status", 0) or 0)
    data = getattr(response, "data", None)
    headers = getattr(response, "headers", None) or {}
    retry_after = next((v for k, v in headers.items() if k.lower() == "retry-after"), "")
    return refusal(method, status, data if isinstance(data, dict) else {}, str(retry_after))


def _quiet_log() -> logging.Logger:
    """Return a logger for the library that says nothing of what is sent: it is people's text."""
    log = logging.getLogger(f"{__name__}.library")
    log.setLevel(logging.WARNING)
    return log
