"""Our own messages: how they are named in notes, and how one is found again in Slack."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sympozium.chat.platform import PostId
from sympozium.contract.errors import PermanentError
from sympozium_slack.api import Api
from sympozium_slack.ids import Origin
from sympozium_slack.refusals import ScopeMissingError

EVENT_TYPE = "sympozium_reply"
MARKER_CHARS = 24
MAX_PAGES = 5
PAGE_POSTS = 100


class PostKind(StrEnum):
    """How a message of ours was made."""

    MESSAGE = "m"
    STREAM = "s"
    PRIVATE = "p"
    """For one person; Slack lets nobody change it."""


@dataclass(frozen=True)
class OwnPost:
    """A message of ours.

    Attributes:
        marker: By which it is found again; see `marker`.
    """

    kind: PostKind
    ts: str
    marker: str

    def written(self) -> PostId:
        """Return it as the common code keeps it."""
        return PostId(f"{self.kind}:{self.ts}:{self.marker}")


def read_post_id(post: PostId) -> OwnPost:
    """Read what `OwnPost.written` wrote.

    Raises:
        PermanentError: It is something else.
    """
    parts = post.split(":")
    if len(parts) != 3 or parts[0] not in set(PostKind):
        raise PermanentError(f"cannot edit {post!r}: it does not name a message of this channel")
    return OwnPost(PostKind(parts[0]), parts[1], parts[2])


def marker(key: str) -> str:
    """Return what a message of ours carries, so that it is found by the key it was posted under."""
    return hashlib.sha256(key.encode()).hexdigest()[:MARKER_CHARS]


def metadata(marker: str) -> dict[str, Any]:
    """Return the marker as Slack's metadata of a message."""
    return {"event_type": EVENT_TYPE, "event_payload": {"key": marker}}


async def find_post(api: Api, origin: Origin, marker: str) -> OwnPost | None:
    """Return the message of ours that carries *marker*, where it answers *origin*.

    Raises:
        TransientError: It cannot be looked for now.
        PermanentError: The chat cannot be read. Where only the right to is missing, None
            is returned: then a message may be posted twice, which is better than never.
    """

    def carries(post: dict[str, Any]) -> bool:
        payload = (post.get("metadata") or {}).get("event_payload") or {}
        return payload.get("key") == marker or _block_ids(post) >= {marker}

    post = await find(api, origin, carries)
    if post is None:
        return None
    kind = PostKind.STREAM if marker in _block_ids(post) else PostKind.MESSAGE
    return OwnPost(kind, str(post["ts"]), marker)


async def find(
    api: Api, origin: Origin, is_it: Callable[[dict[str, Any]], bool]
) -> dict[str, Any] | None:
    """Return the first message after *origin* that *is_it*; raises as `find_post`."""
    where: dict[str, Any] = {"channel": origin.channel, "limit": PAGE_POSTS}
    if origin.ts:
        where["oldest"] = origin.ts
    if origin.thread:
        where["ts"] = origin.thread
    method = "conversations.replies" if origin.thread else "conversations.history"
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        try:
            answer = await api.call(method, include_all_metadata=True, cursor=cursor, **where)
        except ScopeMissingError:
            return None
        found = next((post for post in answer.get("messages") or [] if is_it(post)), None)
        cursor = (answer.get("response_metadata") or {}).get("next_cursor")
        if found is not None or not cursor:
            return found
    return None


def _block_ids(post: dict[str, Any]) -> set[str]:
    return {str(block.get("block_id")) for block in post.get("blocks") or []}
