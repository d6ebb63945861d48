"""What was said while nobody listened: read from the channels' history after a gap.

Slack repeats an event that was not taken a few times, and then gives up. So for
every channel in which the bot was spoken to, the newest message that was stored
is noted, and after a time without any connection what came since is read; where an
event could not be stored, as soon as it can be. Where nothing is noted nobody spoke
to the bot before, and what came since the newest message of all is read. A message
has the same id whichever way it comes, so one that came both ways is stored once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec

from sympozium.chat.desk import Desk
from sympozium.chat.gate import Triggers
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.messages import InboundMessage
from sympozium_slack.api import Api
from sympozium_slack.events import Post, UnreadableError
from sympozium_slack.history import History
from sympozium_slack.ids import read_origin
from sympozium_slack.reading import Me, Reading, read_post

NOTE_PREFIX = "heard:"
FIRST_NOTE = NOTE_PREFIX
"""Since when the bot listens: the note of no channel."""

KEEP_EVERY_S = 30.0
"""A note may be so old: what is read again is stored once all the same."""

LAST_KEEP_TIMEOUT_S = 1.0
"""How long the end of the program waits for the last note."""

FORGET_AFTER = timedelta(days=7)
"""A channel in which nothing was said for so long is not looked at any more."""

MAX_CHATS = 200
"""Chats that are read after a gap: those that were used last first, then those with one person."""

MAX_HEARD = 5 * MAX_CHATS
"""Chats that are in our own memory, too, and not only in the notes."""

JUST_BEFORE_S = 0.00001
CLOCKS_APART_S = 2.0
"""By how much Slack's clock may be behind ours."""

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
        self._history = History(api)
        self._me = me
        self._triggers = triggers
        self._take = take
        self._heard: dict[str, Heard] = {}
        self._kept: set[str] = set()
        self._changed: set[str] = set()
        self._new = asyncio.Event()
        self._refused: dict[str, Heard] = {}
        self._gaps = 0
        self._gaps_read = 0
        self.wanted = asyncio.Event()
        """Set when `read_missed` has something to do."""

    def came_back(self) -> None:
        """Note that for a while nothing could come in, anywhere."""
        self._gaps += 1
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
        gaps, refused = self._gaps, dict(self._refused)
        chats = await self._chats() if self._is_behind else []
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
        self._gaps_read = gaps
        self._new.set()
        log.info("history read", extra={"action": "audit", "chats": len(chats), "posts": count})
        return count

    def _certain(self, channel: str) -> Heard:
        """Return how far a channel was heard without a gap."""
        heard, refused = self._heard.get(channel), self._refused.get(channel)
        if heard is None or refused is None:
            return heard or refused or Heard(ts="0")
        threads = [one for one in heard.threads if one not in refused.threads]
        return Heard(ts=min(heard.ts, refused.ts, key=float), threads=[*threads, *refused.threads])

    @property
    def _is_behind(self) -> bool:
        """Whether what came in a gap is not read yet."""
        return self._gaps_read != self._gaps

    async def _chats(self) -> list[tuple[str, Heard]]:
        """Return the chats to read, each with how far it was heard; those used last first."""
        noted = await self._noted()
        first = noted.pop(FIRST_NOTE, None)
        newest = max((float(heard.ts) for heard in noted.values()), default=0.0)
        if first is None:
            now = datetime.now(UTC).timestamp() - CLOCKS_APART_S
            first = Heard(ts=f"{newest or now:.6f}")
            await self._desk.keep({FIRST_NOTE: msgspec.json.encode(first).decode()})
        since = f"{max(newest, float(first.ts)):.6f}"
        known = {key.removeprefix(NOTE_PREFIX): heard for key, heard in noted.items()}
        chats = sorted(known.items(), key=lambda one: float(one[1].ts), reverse=True)
        others = [chat for chat in await self._history.chats() if chat not in known]
        return [*chats, *((chat, Heard(ts=since)) for chat in others)][:MAX_CHATS]

    async def _noted(self) -> dict[str, Heard]:
        """Return the notes; forget those of channels in which nothing was said for long."""
        notes: dict[str, Heard] = {}
        for key, note in (await self._desk.read_all(NOTE_PREFIX)).items():
            with suppress(msgspec.DecodeError):
                notes[key] = msgspec.json.decode(note, type=Heard)
        since = (datetime.now(UTC) - FORGET_AFTER).timestamp()
        old = {key for key, heard in notes.items() if float(heard.ts) < since} - {FIRST_NOTE}
        if old:
            await self._desk.keep(dict.fromkeys(old, ""))
        return {key: heard for key, heard in notes.items() if key not in old}

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._new.set()

    async def _keep(self) -> None:
        if self._is_behind:  # a note of what comes now would hide what came before it
            return
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
        posts = await self._history.posts(channel, after=heard.ts, threads=heard.threads)
        return sum([await self._read_post(post, channel) for post in posts])

    async def _read_post(self, post: Post, channel: str) -> int:
        try:
            reading = read_post(post, channel, self._me, self._triggers)
        except UnreadableError:
            return 0
        if reading is None or not reading.message.addressed:
            return 0
        await self._take(reading)
        return 1
