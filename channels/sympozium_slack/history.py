"""What Slack keeps: the chats that the bot is in, and what people said there."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from sympozium.chat.errors import PlatformBusyError
from sympozium.contract.errors import PermanentError
from sympozium_slack.api import Answer, Api
from sympozium_slack.events import Post
from sympozium_slack.windows import Window

MAX_AGE = timedelta(hours=24)
"""What is older is answered by nobody's wish; the router remembers a message for longer."""

KINDS = ("im", "mpim", "private_channel", "public_channel")
"""Of chats, each with a scope of its own: a kind that may not be listed hides no other.

Source: https://docs.slack.dev/reference/methods/users.conversations (types)
"""

ASKED_A_MINUTE = 30
"""Calls of each method. Slack allows 50; the rest is for answers whose sending was not confirmed.

Source: https://docs.slack.dev/apis/web-api/rate-limits (tier 3)
"""

MAX_PAGES = 5
PAGE_POSTS = 100
PAGE_CHATS = 200

log = logging.getLogger(__name__)

Item = TypeVar("Item")


class Chat(msgspec.Struct):
    """A channel or a direct chat."""

    id: str


class History:
    """Reads what Slack keeps, no faster than it allows."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._asked: defaultdict[str, Window] = defaultdict(lambda: Window(ASKED_A_MINUTE, 60.0))

    async def chats(self) -> list[str]:
        """Return the chats that the bot is in, those with one person first.

        Raises:
            TransientError: Slack does not answer.
        """
        found: list[str] = []
        for kind in KINDS:
            try:
                chats = await self._pages(
                    "users.conversations", "channels", Chat,
                    types=kind, exclude_archived="true", limit=PAGE_CHATS,
                )  # fmt: skip
            except PermanentError as error:
                extra = {"action": "skip", "kind": kind, "cause": str(error)}
                log.warning("chats not listed", extra=extra)
            else:
                found += [chat.id for chat in chats]
        return found

    async def posts(self, channel: str, *, after: str, threads: Iterable[str]) -> list[Post]:
        """Return what was said in a chat, in order, within the last day at the most.

        Args:
            channel: The chat.
            after: The timestamp of the last message that is not wanted.
            threads: Those to read besides the ones that Slack names.

        Raises:
            TransientError: Slack does not answer.
            PermanentError: The chat is gone, or may not be read.
        """
        oldest = max(float(after), (datetime.now(UTC) - MAX_AGE).timestamp())
        since = {"channel": channel, "oldest": f"{oldest:.6f}", "limit": PAGE_POSTS}
        posts = await self._pages("conversations.history", "messages", Post, **since)
        for thread in {post.ts for post in posts if post.latest_reply} | set(threads):
            try:
                posts += await self._pages(
                    "conversations.replies", "messages", Post, ts=thread, **since
                )
            except PermanentError:
                continue  # the thread is gone
        later = [post for post in posts if float(post.ts) > oldest]
        return sorted(later, key=lambda post: float(post.ts))

    async def _pages(
        self, method: str, field: str, type_: type[Item], **arguments: Any
    ) -> list[Item]:
        found: list[Item] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            answer = await self._patiently(method, cursor=cursor, **arguments)
            try:
                found += msgspec.convert(answer.get(field) or [], list[type_])  # type: ignore[valid-type]
            except msgspec.ValidationError as error:
                raise PermanentError(f"cannot read {method}: {error}") from None
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
        return found

    async def _patiently(self, method: str, **arguments: Any) -> Answer:
        """Call a method, and wait for as long as it needs before and Slack asks to."""
        window = self._asked[method]
        while True:
            while not window.has_room():  # noqa: ASYNC110 - nothing happens but time
                await asyncio.sleep(1.0)
            window.take()
            try:
                return await self._api.call(method, **arguments)
            except PlatformBusyError as error:
                await asyncio.sleep(error.retry_after_s)
