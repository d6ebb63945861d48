"""Finding a post of ours again whose answer was lost."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sympozium.chat.outbox.wording import PLACEHOLDER
from sympozium_discord.echoes import Echoes
from sympozium_discord.library import Route
from sympozium_discord.reply_to import ReplyTo
from sympozium_discord.rest import Rest

PAGE = 100

IsIt = Callable[[dict[str, Any]], bool]


@dataclass(frozen=True)
class Wanted:
    """What is looked for: a post in *channel*, in answer to *reply_to*, sent with *nonce*."""

    channel: str
    reply_to: ReplyTo
    nonce: str


class Search:
    """Looks where the gateway told of it, then in the channel's history."""

    def __init__(self, rest: Rest, echoes: Echoes, our_id: Callable[[], str]) -> None:
        self._rest = rest
        self._echoes = echoes
        self._our_id = our_id

    async def text(self, wanted: Wanted, text: str) -> str:
        """Return the id of the post that says *text*, or stands for it; empty: none is there.

        A placeholder has the key of the text that is to replace it.
        """
        says = {text.strip(), PLACEHOLDER}
        return await self._find(wanted, lambda post: str(post.get("content")).strip() in says)

    async def file(self, wanted: Wanted, name: str, size_bytes: int) -> str:
        """Return the id of the post with a file; empty: none is there."""
        told = (_letters(name), size_bytes)  # Discord writes other characters its own way
        return await self._find(
            wanted,
            lambda post: any(
                (_letters(one["filename"]), one["size"]) == told for one in post["attachments"]
            ),
        )

    async def _find(self, wanted: Wanted, is_it: IsIt) -> str:
        if heard := self._echoes.find(wanted.nonce, wanted.channel):
            return heard
        route = Route("GET", "/channels/{channel_id}/messages", channel_id=wanted.channel)
        params = {"after": wanted.reply_to.message, "limit": str(PAGE)}
        found: list[dict[str, Any]] = await self._rest.call(route, params=params)
        for post in sorted(found, key=lambda one: int(one["id"])):
            if post["author"]["id"] == self._our_id() and _answers(post, wanted) and is_it(post):
                return str(post["id"])
        return ""


def _letters(name: str) -> str:
    return "".join(one for one in name if one.isascii() and one.isalnum())


def _answers(post: dict[str, Any], wanted: Wanted) -> bool:
    """Return whether *post* stands in answer to the message in question and to no other."""
    if post.get("nonce"):
        return str(post["nonce"]) == wanted.nonce
    reference = post.get("message_reference") or {}
    referred = reference.get("message_id", "")
    return bool(referred == ("" if _is_first(wanted) else wanted.reply_to.message))


def _is_first(wanted: Wanted) -> bool:
    """Return whether the message is the one on which the thread hangs: it is not in it."""
    return wanted.reply_to.begins_thread and wanted.channel == wanted.reply_to.message
