"""What was said while nobody listened: read from the channels' history after a gap.

Slack repeats an event that was not taken a few times, and then gives up. So for
every channel in which the bot was spoken to, the newest message that was stored
is noted, and after a time without any connection what came since is read; where an
event could not be stored, as soon as it can be. A message has the same id
whichever way it comes, so one that came both ways is stored once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from sympozium.chat.desk import Desk
from sympozium.chat.errors import PlatformBusyError
from sympozium.chat.gate import Triggers
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.messages import InboundMessage
from sympozium_slack.api import Answer, Api
from sympozium_slack.events import Post, UnreadableError
from sympozium_slack.ids import read_origin
from sympozium_slack.reading import Me, Reading, read_post

NOTE_PREFIX = "heard:"
KEEP_EVERY_S = 30.0
"""A note may be so old: what is read again is stored once all the same."""

LAST_KEEP_TIMEOUT_S = 1.0
"""How long the end of the program waits for the last note."""

MAX_AGE = timedelta(hours=24)
"""What is older is answered by nobody's wish; the router remembers a message for longer."""

FORGET_AFTER = timedelta(days=7)
"""A channel in which nothing was said for so long is not looked at any more."""

MAX_CHATS = 200
"""Chats that are read after a gap, those that were used last first. Slack allows 50 a minute."""

MAX_HEARD = 5 * MAX_CHATS
"""Chats that are in our own memory, too, and not only in the notes."""

MAX_PAGES = 5
PAGE_POSTS = 100
JUST_BEFORE_S = 0.00001
MAX_THREADS = 20

log = logging.getLogger(__name__)

Take = Callable[[Reading], Awaitable[None]]


class Heard(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How far one channel was heard.

    Attributes:
        ts: The newest stored message.
        threads: Threads in which something was stored lately, the newest last.
    """

    ts: str
    threads: list[str] = []


class Gaps:
    """Notes how far each channel was heard, and reads what is missing after a gap."""

    def __init__(self, desk: Desk, api: Api, me: Me, triggers: Triggers, take: Take) -> None:
        self._desk = desk
        self._api = api
        self._me = me
        self._triggers = triggers
        self._take = take
        self._heard: dict[str, Heard] = {}
        self._kept: set[str] = set()
        self._changed: set[str] = set()
        self._new = asyncio.Event()
        self._refused: dict[str, Heard] = {}
        self._was_away = False
        self.wanted = asyncio.Event()
        """Set when `read_missed` has something to do."""

    def came_back(self) -> None:
        """Note that for a while nothing could come in, anywhere."""
        self._was_away = True
        self.wanted.set()

    def refused(self, message: InboundMessage) -> None:
        """Note that a message could not be stored: Slack may give up bringing it."""
        origin = read_origin(message.reply_to)
        if not origin.ts or not message.addressed:
            return
        before = f"{float(origin.ts) - JUST_BEFORE_S:.6f}"
        known = self._refused.get(origin.channel, Heard(ts=before))
        threads = {*known.threads, *([origin.thread] if origin.thread else [])}
        oldest = min(known.ts, before, key=float)
        self._refused[origin.channel] = Heard(ts=oldest, threads=sorted(threads))
        self.wanted.set()

    def stored(self, message: InboundMessage) -> None:
        """Note that a message is stored; written down soon."""
        origin = read_origin(message.reply_to)
        if not origin.ts or not message.addressed:
            return
        heard = self._heard.pop(origin.channel, Heard(ts=origin.ts))
        self._heard[origin.channel] = heard  # the last one now
        heard.ts = max(heard.ts, origin.ts, key=float)
        if origin.thread:
            others = [thread for thread in heard.threads if thread != origin.thread]
            heard.threads = [*others, origin.thread][-MAX_THREADS:]
        self._changed.add(origin.channel)
        if origin.channel not in self._kept:
            self._new.set()

    async def keep_loop(self, stop: asyncio.Event) -> None:
        """Write down what changed: a new channel at once, the rest now and then."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._wake_at(stop))
            while not stop.is_set():
                self._new.clear()
                await self._keep()
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.0 if stop.is_set() else KEEP_EVERY_S):
                        await self._new.wait()
        with suppress(TimeoutError):  # an older note means that more is read again
            async with asyncio.timeout(LAST_KEEP_TIMEOUT_S):
                await self._keep()

    async def read_missed(self) -> int:
        """Store what was said to the bot and did not come, or was refused; return how much.

        Raises:
            TransientError: The notes cannot be read, or a message cannot be stored. What
                was stored is; the rest can be asked for again.
        """
        was_away, refused = self._was_away, dict(self._refused)
        chats = (await self._noted())[:MAX_CHATS] if was_away else []
        chats = [(channel, heard) for channel, heard in chats if channel not in refused]
        chats += [(channel, self._certain(channel)) for channel in refused]
        count = 0
        for channel, heard in chats:
            try:
                count += await self._read_channel(channel, heard)
            except PermanentError as error:
                log.warning(
                    "history not read",
                    extra={"action": "skip", "chat": channel, "cause": str(error)},
                )
            if self._refused.get(channel) is refused.get(channel):
                self._refused.pop(channel, None)
        self._was_away = self._was_away and not was_away
        log.info("history read", extra={"action": "audit", "chats": len(chats), "posts": count})
        return count

    def _certain(self, channel: str) -> Heard:
        """Return how far a channel was heard without a gap."""
        heard, refused = self._heard.get(channel), self._refused.get(channel)
        if heard is None or refused is None:
            return heard or refused or Heard(ts="0")
        threads = [one for one in heard.threads if one not in refused.threads]
        return Heard(ts=min(heard.ts, refused.ts, key=float), threads=[*threads, *refused.threads])

    async def _noted(self) -> list[tuple[str, Heard]]:
        """Return how far each channel was heard, the newest first; forget the old ones."""
        notes = await self._desk.read_all(NOTE_PREFIX)
        chats: dict[str, Heard] = {}
        for key, note in notes.items():
            with suppress(msgspec.DecodeError):
                chats[key.removeprefix(NOTE_PREFIX)] = msgspec.json.decode(note, type=Heard)
        since = (datetime.now(UTC) - FORGET_AFTER).timestamp()
        old = [channel for channel, heard in chats.items() if float(heard.ts) < since]
        if old:
            await self._desk.keep({NOTE_PREFIX + channel: "" for channel in old})
        kept = [(channel, heard) for channel, heard in chats.items() if channel not in old]
        return sorted(kept, key=lambda one: float(one[1].ts), reverse=True)

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._new.set()

    async def _keep(self) -> None:
        changed, self._changed = self._changed, set()
        notes = {
            NOTE_PREFIX + channel: msgspec.json.encode(self._certain(channel)).decode()
            for channel in changed
        }
        try:
            if notes:
                await self._desk.keep(notes)
        except TransientError:
            self._changed |= changed  # next time
        self._kept |= changed
        self._forget()

    def _forget(self) -> None:
        """Let go of channels in which nothing was said lately; their notes stay."""
        for channel in list(self._heard)[:-MAX_HEARD]:
            if channel not in self._changed and channel not in self._refused:
                del self._heard[channel]
                self._kept.discard(channel)

    async def _read_channel(self, channel: str, heard: Heard) -> int:
        oldest = max(float(heard.ts), (datetime.now(UTC) - MAX_AGE).timestamp())
        since = {"channel": channel, "oldest": f"{oldest:.6f}", "limit": PAGE_POSTS}
        posts = await self._pages("conversations.history", **since)
        threads = {post.ts for post in posts if post.latest_reply} | set(heard.threads)
        for thread in threads:
            try:
                posts += await self._pages("conversations.replies", ts=thread, **since)
            except PermanentError:
                continue  # the thread is gone
        count = 0
        for post in sorted(posts, key=lambda post: float(post.ts)):
            if float(post.ts) > oldest:
                count += await self._read_post(post, channel)
        return count

    async def _read_post(self, post: Post, channel: str) -> int:
        try:
            reading = read_post(post, channel, self._me, self._triggers)
        except UnreadableError:
            return 0
        if reading is None or not reading.message.addressed:
            return 0
        await self._take(reading)
        return 1

    async def _pages(self, method: str, **arguments: Any) -> list[Post]:
        posts: list[Post] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            answer = await self._patiently(method, cursor=cursor, **arguments)
            try:
                posts += msgspec.convert(answer.get("messages") or [], list[Post])
            except msgspec.ValidationError as error:
                raise PermanentError(f"cannot read {method}: {error}") from None
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
        return posts

    async def _patiently(self, method: str, **arguments: Any) -> Answer:
        """Call a method, and wait for as long as Slack asks to."""
        while True:
            try:
                return await self._api.call(method, **arguments)
            except PlatformBusyError as error:
                await asyncio.sleep(error.retry_after_s)
