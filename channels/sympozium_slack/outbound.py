"""From the common code to Slack: each method is one attempt, and says what came of it."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

from typing_extensions import override

from sympozium.chat.capabilities import Capabilities
from sympozium.chat.errors import ChatClosedError, PlatformBusyError, PostGoneError
from sympozium.chat.outbox.wording import PLACEHOLDER
from sympozium.chat.platform import (
    Attachment,
    Growing,
    Mark,
    Platform,
    PostId,
    Shown,
    Target,
)
from sympozium.contract.errors import PermanentError, SympoziumError, TransientError
from sympozium_slack.api import Api
from sympozium_slack.blocks import fallback, message_blocks
from sympozium_slack.capabilities import CAPABILITIES
from sympozium_slack.ids import Origin, read_origin
from sympozium_slack.marks import Reactions
from sympozium_slack.naming import Naming
from sympozium_slack.posts import OwnPost, PostKind, find_post, marker, metadata, read_post_id
from sympozium_slack.refusals import ScopeMissingError, StreamConflictError, StreamEndedError
from sympozium_slack.response_urls import ResponseUrls
from sympozium_slack.streams import Streams
from sympozium_slack.uploads import Uploads
from sympozium_slack.windows import Window

GROWING_EDITS_PER_MINUTE = 30
"""Of 50 calls of `chat.update` that Slack allows in a workspace; the others are for ends."""

_NO_UNFURL = {"unfurl_links": False, "unfurl_media": False}


class SlackPlatform(Platform):
    """One bot account as the common code sees it."""

    def __init__(self, api: Api, response_urls: ResponseUrls) -> None:
        self._api = api
        self._response_urls = response_urls
        self._streams = Streams(api)
        self._reactions = Reactions(api)
        self._uploads = Uploads(api)
        self._naming = Naming()
        self._growing_edits = Window(GROWING_EDITS_PER_MINUTE, 60.0)
        self._statuses: dict[tuple[str, str], None] = {}

    @property
    @override
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    @override
    def chat_of(self, target: Target) -> str:
        return _origin(target).channel

    @override
    async def post(self, target: Target, shown: Shown, *, key: str, again: bool) -> PostId:
        origin, marked = _origin(target), marker(key)
        if shown.is_private and not origin.is_direct:
            return await self._post_private(target, origin, shown)
        if again:
            found = await find_post(self._api, origin, marked)
            if found is not None:
                return found.written()
        if shown.piece.plain == PLACEHOLDER and self._streams.is_possible(origin, shown):
            name = self._naming.of(shown.author)
            ts = await self._streams.start(origin, shown, marked, name)
            if ts is not None:
                return OwnPost(PostKind.STREAM, ts, marked).written()
        answer = await self._say(
            "chat.postMessage",
            shown.author,
            **_where(origin),
            **_words(shown),
            **_NO_UNFURL,
            metadata=metadata(marked),
        )
        return OwnPost(PostKind.MESSAGE, str(answer["ts"]), marked).written()

    @override
    async def edit(self, target: Target, post: PostId, shown: Shown) -> None:
        origin, own = _origin(target), read_post_id(post)
        if own.kind is PostKind.PRIVATE:
            raise PostGoneError("cannot edit what is shown to one person: Slack does not allow it")
        if self._streams.is_open(origin.channel, own.ts):
            await self._streams.stop(origin.channel, own.ts)
        await self._update(origin, own, _words(shown))
        await self._clear_status(origin)

    @override
    async def remove(self, target: Target, post: PostId) -> None:
        origin, own = _origin(target), read_post_id(post)
        if own.kind is PostKind.PRIVATE:
            return
        try:
            if own.kind is PostKind.STREAM:
                await self._streams.stop(origin.channel, own.ts)
            await self._api.call("chat.delete", channel=origin.channel, ts=own.ts)
        except PostGoneError:
            return
        finally:
            await self._clear_status(origin)

    @override
    async def grow(self, target: Target, post: PostId, growing: Growing) -> None:
        origin, own = _origin(target), read_post_id(post)
        if own.kind is PostKind.PRIVATE:
            return
        if self._streams.is_open(origin.channel, own.ts):
            try:
                await self._streams.grow(origin.channel, own.ts, growing)
            except StreamEndedError:
                pass
            else:
                return
        if not self._growing_edits.has_room():
            return  # a later state is shown when there is room
        self._growing_edits.take()
        shown = Shown(piece=growing.piece, choices=growing.choices)
        await self._update(origin, own, _words(shown))

    @override
    async def signal(self, target: Target, status: str) -> None:
        origin = _origin(target)
        if not (origin.is_direct and origin.thread) or self._streams.has_open(origin):
            return
        self._statuses[origin.channel, origin.thread] = None
        await _cosmetic(
            self._set_status(origin, f"is at work: {status}" if status else "is at work")
        )

    @override
    async def mark(self, target: Target, mark: Mark) -> None:
        origin = _origin(target)
        if origin.ts:
            await _cosmetic(self._reactions.show(origin, mark))

    @override
    async def upload(self, target: Target, file: Attachment, *, key: str, again: bool) -> None:
        try:
            await self._uploads.send(_origin(target), file, key=key, again=again)
        except ScopeMissingError as error:
            raise PermanentError(str(error)) from error

    async def _post_private(self, target: Target, origin: Origin, shown: Shown) -> PostId:
        """Show something to one person: through the bot, or by the address of their command."""
        try:
            answer = await self._say(
                "chat.postEphemeral",
                shown.author,
                user=origin.user,
                **_where(origin),
                **_words(shown),
            )
        except ChatClosedError:
            url = self._response_urls.of(target.message_id)
            if not url:
                raise
            await self._api.answer(url, {"response_type": "ephemeral", **_words(shown)})
            return OwnPost(PostKind.PRIVATE, "", "").written()
        return OwnPost(PostKind.PRIVATE, str(answer.get("message_ts") or ""), "").written()

    async def _say(self, method: str, author: str, **arguments: Any) -> dict[str, Any]:
        """Call a method in an agent's name; in the app's own where it may not."""
        name = self._naming.of(author)
        try:
            return await self._api.call(method, **arguments, **name)
        except ScopeMissingError:
            if not name:
                raise
            self._naming.is_allowed = False
            return await self._api.call(method, **arguments)

    async def _update(self, origin: Origin, own: OwnPost, words: dict[str, Any]) -> None:
        """Make a message say something else, streamed or not."""
        arguments = {
            "channel": origin.channel,
            "ts": own.ts,
            **words,
            "metadata": metadata(own.marker),
        }
        try:
            await self._api.call("chat.update", **arguments)
        except StreamConflictError:
            await self._streams.stop(origin.channel, own.ts)
            await self._api.call("chat.update", **arguments)

    async def _set_status(self, origin: Origin, status: str) -> None:
        await self._api.call(
            "assistant.threads.setStatus",
            channel_id=origin.channel,
            thread_ts=origin.thread,
            status=status,
        )

    async def _clear_status(self, origin: Origin) -> None:
        """Take away a status line of ours; Slack does so itself only when something is posted."""
        place = (origin.channel, origin.thread)
        if place not in self._statuses:
            return
        del self._statuses[place]
        try:
            await self._set_status(origin, "")
        except SympoziumError:
            return  # it goes by itself within two minutes


async def _cosmetic(call: Awaitable[None]) -> None:
    """Make a call that nothing important waits for.

    Slack's penalties are a method's. That reactions must wait says nothing about
    answers, so it is not passed on as something for which the whole chat waits.
    """
    try:
        await call
    except PlatformBusyError as error:
        raise TransientError(str(error)) from error


def _origin(target: Target) -> Origin:
    origin = read_origin(target.reply_to)
    return replace(origin, thread="") if target.in_chat else origin


def _where(origin: Origin) -> dict[str, Any]:
    return {"channel": origin.channel, "thread_ts": origin.thread or None}


def _words(shown: Shown) -> dict[str, Any]:
    return {
        "text": fallback(shown),
        "blocks": message_blocks(shown),
        "link_names": False,
        "parse": "none",
    }
