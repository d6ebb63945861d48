"""Discord as the common code sees it: one attempt a call, and what came of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sympozium.chat.capabilities import Capabilities
from sympozium.chat.errors import ChatClosedError, PostGoneError, ThreadGoneError
from sympozium.chat.files import fitted_name
from sympozium.chat.platform import Attachment, Growing, Mark, PostId, Shown, Target
from sympozium.contract.errors import PermanentError, TransientError
from sympozium_discord.bodies import message_body, nonce_of, referring_to, text_of
from sympozium_discord.capabilities import CAPABILITIES
from sympozium_discord.cards import growing_body
from sympozium_discord.components import Choices
from sympozium_discord.interactions import Open, OpenInteractions
from sympozium_discord.library import Route
from sympozium_discord.marks import Reactions
from sympozium_discord.refusals import (
    CLOSED,
    MISSING_PERMISSIONS,
    THREAD_ARCHIVED,
    THREAD_LOCKED,
    UNKNOWN_CHANNEL,
    DiscordRefusedError,
    InteractionGoneError,
)
from sympozium_discord.reply_to import ReplyTo, read_reply_to
from sympozium_discord.rest import Rest, Upload
from sympozium_discord.search import Search, Wanted
from sympozium_discord.threads import Threads

POSTS = "/channels/{channel_id}/messages"
POST = "/channels/{channel_id}/messages/{message_id}"
ORIGINAL = "/webhooks/{webhook_id}/{webhook_token}/messages/@original"

MAX_REMEMBERED = 1024

_PRIVATE = "@"
"""Begins the id of a post that one person alone sees; the interaction's id follows."""


class Discord:
    """Keeps `sympozium.chat.platform.Platform` for one bot."""

    def __init__(
        self,
        rest: Rest,
        choices: Choices,
        interactions: OpenInteractions,
        search: Search,
        threads: Threads,
    ) -> None:
        self._rest = rest
        self._choices = choices
        self._interactions = interactions
        self._search = search
        self._threads = threads
        self._reactions = Reactions(rest)
        self._without_cards: dict[str, None] = {}

    @property
    def capabilities(self) -> Capabilities:
        """See `Platform.capabilities`."""
        return CAPABILITIES

    def chat_of(self, target: Target) -> str:
        """See `Platform.chat_of`: a thread is a channel of its own, with limits of its own."""
        return _chat(target) if target.in_chat else target.conversation

    async def post(self, target: Target, shown: Shown, *, key: str, again: bool) -> PostId:
        """See `Posts.post`. A private answer takes the place of "thinking", so it is one post."""
        reply_to = read_reply_to(target.reply_to)
        asked = await self._interactions.find(reply_to.message) if reply_to.is_interaction else None
        if asked is not None and shown.is_private:
            try:
                return await self._answer(reply_to, asked, shown)
            except InteractionGoneError:
                asked = None
        post = await self._post(target, reply_to, shown, key=key, again=again)
        if asked is not None and asked.waits:
            await self._stop_thinking(reply_to, asked)
        return post

    async def edit(self, target: Target, post: PostId, shown: Shown) -> None:
        """See `Posts.edit`."""
        if post.startswith(_PRIVATE):
            reply_to = read_reply_to(target.reply_to)
            asked = self._interactions.get(reply_to.message)
            if asked is None:
                raise PostGoneError("cannot change a private answer: its 15 minutes are over")
            try:
                await self._answer(reply_to, asked, shown)
            except InteractionGoneError as error:
                raise PostGoneError(str(error)) from error
            return
        body = message_body(text_of(shown), await self._choices.components(shown.choices))
        await self._edit(target, post, body)

    async def remove(self, target: Target, post: PostId) -> None:
        """See `Posts.remove`."""
        try:
            if not post.startswith(_PRIVATE):
                await self._in_thread(target, _route("DELETE", post))
            elif asked := self._interactions.get(post.removeprefix(_PRIVATE)):
                await self._rest.call(_original("DELETE", asked))
        except (PostGoneError, ThreadGoneError, InteractionGoneError):
            return

    async def grow(self, target: Target, post: PostId, growing: Growing) -> None:
        """See `Signals.grow`. What is being done is on a card, where the bot may show one."""
        chat = self.chat_of(target)
        if not growing.status or post.startswith(_PRIVATE) or chat in self._without_cards:
            await self.edit(target, post, Shown(growing.piece, choices=growing.choices))
            return
        body = growing_body(growing, await self._choices.components(growing.choices))
        try:
            await self._edit(target, post, body)
        except ChatClosedError as error:
            if error.reason != CLOSED[MISSING_PERMISSIONS]:
                raise
            self._without_cards[chat] = None
            while len(self._without_cards) > MAX_REMEMBERED:
                del self._without_cards[next(iter(self._without_cards))]

    async def signal(self, target: Target, status: str) -> None:
        """See `Signals.signal`: Discord shows that somebody types, and no status."""
        del status
        channel = self._threads.known(read_reply_to(target.reply_to))
        await self._in_thread(
            target, Route("POST", "/channels/{channel_id}/typing", channel_id=channel)
        )

    async def mark(self, target: Target, mark: Mark) -> None:
        """See `Signals.mark`. There is nothing to react to where a command was given."""
        reply_to = read_reply_to(target.reply_to)
        if not reply_to.is_interaction:
            await self._reactions.show(reply_to, mark)

    async def upload(self, target: Target, file: Attachment, *, key: str, again: bool) -> None:
        """See `Uploads.upload`."""
        reply_to = read_reply_to(target.reply_to)
        channel = await self._channel(target, reply_to)
        nonce = nonce_of(key)
        wanted = Wanted(channel, reply_to, nonce)
        name = fitted_name(file.name)
        with self._thread_told(target, channel):
            if again and await self._search.file(wanted, name, len(file.data)):
                return
        body = {"attachments": [{"id": 0, "filename": name}]} | message_body("", [])
        body |= _identity(target, nonce, reply_to, channel)
        upload = Upload(name, file.media_type, file.data)
        route = Route("POST", POSTS, channel_id=channel)
        await self._in_thread(target, route, body, upload=upload)

    async def _post(
        self, target: Target, reply_to: ReplyTo, shown: Shown, *, key: str, again: bool
    ) -> PostId:
        channel = await self._channel(target, reply_to)
        text = text_of(shown)
        body = message_body(text, await self._choices.components(shown.choices))
        nonce = nonce_of(key)
        if again:
            with self._thread_told(target, channel):
                found = await self._search.text(Wanted(channel, reply_to, nonce), text)
            if found:
                await self._edit(target, PostId(f"{channel}/{found}"), body)
                return PostId(f"{channel}/{found}")
        route = Route("POST", POSTS, channel_id=channel)
        answer = await self._in_thread(
            target, route, body | _identity(target, nonce, reply_to, channel)
        )
        post = PostId(f"{channel}/{answer['id']}")
        if str(answer.get("content", "")).strip() != text.strip():  # the nonce was known
            await self._edit(target, post, body)
        return post

    async def _edit(self, target: Target, post: PostId, body: dict[str, Any]) -> None:
        try:
            await self._in_thread(target, _route("PATCH", post), body)
        except DiscordRefusedError as error:
            if error.code != THREAD_ARCHIVED:
                raise
            await self._threads.reopen(post.partition("/")[0])
            await self._in_thread(target, _route("PATCH", post), body)

    async def _answer(self, reply_to: ReplyTo, asked: Open, shown: Shown) -> PostId:
        body = message_body(text_of(shown), await self._choices.components(shown.choices))
        await self._rest.call(_original("PATCH", asked), body)
        self._interactions.settled(reply_to.message)
        return PostId(f"{_PRIVATE}{reply_to.message}")

    async def _stop_thinking(self, reply_to: ReplyTo, asked: Open) -> None:
        """Take "thinking" away: the answer stands for all to see. It would end by itself."""
        try:
            await self._rest.call(_original("DELETE", asked))
        except (TransientError, PermanentError):
            return
        self._interactions.settled(reply_to.message)

    async def _channel(self, target: Target, reply_to: ReplyTo) -> str:
        return _chat(target) if target.in_chat else await self._threads.channel_of(reply_to)

    async def _in_thread(
        self, target: Target, route: Route, body: object = None, *, upload: Upload | None = None
    ) -> Any:
        """Make a call, and say that it is the thread that is gone where there is one."""
        with self._thread_told(target, str(route.channel_id)):
            return await self._rest.call(route, body, upload=upload)

    @contextmanager
    def _thread_told(self, target: Target, channel: str) -> Iterator[None]:
        """Raise `ThreadGoneError` where a call in *channel* finds that it is a thread and gone."""
        is_thread = channel != _chat(target)
        try:
            yield
        except ChatClosedError as error:
            if error.reason != CLOSED[UNKNOWN_CHANNEL] or not is_thread:
                raise
            self._threads.forget(read_reply_to(target.reply_to))
            raise ThreadGoneError(str(error)) from error
        except DiscordRefusedError as error:
            if error.code != THREAD_LOCKED or not is_thread:
                raise
            raise ThreadGoneError(str(error)) from error


def _chat(target: Target) -> str:
    """Return the channel that a conversation is in: `<server>:<channel>:<thread>`, `dm:<id>`."""
    return target.conversation.split(":")[1]


def _thread(target: Target) -> str:
    return target.conversation.split(":")[2]


def _route(method: str, post: PostId) -> Route:
    channel, _, message = post.partition("/")
    return Route(method, POST, channel_id=channel, message_id=message)


def _original(method: str, asked: Open) -> Route:
    return Route(method, ORIGINAL, webhook_id=asked.application_id, webhook_token=asked.token)


def _identity(target: Target, nonce: str, reply_to: ReplyTo, channel: str) -> dict[str, Any]:
    """Return the part of a new post by which it is recognised, and that links to what it answers.

    What is said in the channel because its thread is gone links to the message on which the
    thread hung: it has the thread's id. Where there is none Discord shows no link.
    """
    body: dict[str, Any] = {"nonce": nonce, "enforce_nonce": True}
    if channel == reply_to.channel:
        if not reply_to.is_interaction:
            body |= referring_to(reply_to.message, channel)
    elif target.in_chat:
        body |= referring_to(_thread(target), channel)
    return body
