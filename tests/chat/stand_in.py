"""A chat platform in memory: it keeps the port's promises, refuses what is impossible, and fails.

It shows what a person would see, and counts what a platform would hold against a bot.
"""

import asyncio
import contextlib
import itertools
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from sympozium.chat.capabilities import Capabilities, Rate
from sympozium.chat.errors import PlatformBusyError, PostGoneError, ThreadGoneError
from sympozium.chat.markup import Dialect, LengthUnit, Limit
from sympozium.chat.platform import Attachment, Growing, Mark, PostId, Shown, Target
from sympozium.contract.errors import TransientError
from sympozium.contract.messages import Choice
from sympozium.contract.names import MessageId

T = TypeVar("T")
Step = Callable[[MessageId], Awaitable[None]]

CAPABILITIES = Capabilities(
    platform="stand-in",
    dialect=Dialect.MARKDOWN,
    limit=Limit(200, LengthUnit.CODE_POINTS),
    can_edit=True,
    can_mark=True,
    has_choices=True,
    has_private=True,
    max_file_bytes=1024 * 1024,
    max_pieces=4,
    signal_every_s=5.0,
    preview_every_s=0.02,
    per_chat=(Rate(100, 1.0),),
    overall=(Rate(1000, 1.0),),
    finds_posts=True,
)


@dataclass
class Seen:
    """One message of the bot, as a person sees it."""

    chat: str
    thread: str
    text: str
    answers: MessageId
    choices: tuple[Choice, ...] = ()
    author: str = ""
    is_private: bool = False
    file: bytes | None = None


@dataclass
class Fault:
    """What happens to a call instead of, or after, what it asks for."""

    error: Exception
    is_done: bool = False
    is_late: bool = False


@dataclass
class Law:
    """What the platform allows, kept strictly: more is refused, and calling on is remembered.

    Attributes:
        told_at: When the bot knows at the latest that it is closed.
    """

    rates: tuple[Rate, ...]
    calls: deque[float] = field(default_factory=lambda: deque(maxlen=1000))
    closed_until: float = 0.0
    told_at: float = 0.0

    def broken_until(self, now: float) -> float:
        """Return until when a call now is refused; 0: it is not."""
        until = 0.0
        for rate in self.rates:
            within = [call for call in self.calls if call > now - rate.per_s + 1e-9]
            if len(within) >= rate.count:
                until = max(until, within[-rate.count] + rate.per_s)
        return until


class StandIn:
    """One bot account. A conversation is `<chat>` or `<chat>:<thread>`."""

    def __init__(
        self,
        capabilities: Capabilities = CAPABILITIES,
        *,
        delay: Callable[[], float] = lambda: 0.0,
        longest_delay_s: float = 0.0,
    ) -> None:
        """Take what it can do, and how long a request and an answer are under way."""
        self._capabilities = capabilities
        self._delay = delay
        self._longest_delay_s = longest_delay_s
        self._numbers = itertools.count(1)
        self._posts: dict[PostId, Seen] = {}
        self._by_key: dict[str, PostId] = {}
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._blocked: dict[str, asyncio.Event] = {}
        self._late: list[Callable[[], None]] = []
        self._changed = asyncio.Event()
        self._chats: dict[str, Law] = {}
        self._overall = Law(capabilities.overall)
        self.step: Step | None = None
        """Called before and after what must happen once, with the message that it is about."""
        self.gone_threads: set[str] = set()
        self.marks: dict[MessageId, list[Mark]] = defaultdict(list)
        self.signals: list[str] = []
        self.statuses: list[str] = []
        self.calls: list[str] = []
        self.misfortune: Callable[[], Exception | None] | None = None
        """Asked at every call whether it fails."""
        self.accepted = 0
        self.avoidable_refusals = 0
        self.calls_in_penalty = 0

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self._capabilities

    def chat_of(self, target: Target) -> str:
        """Return the chat of a conversation."""
        return target.conversation.partition(":")[0]

    # What tests do and look at.

    def fail(self, method: str, error: Exception, *, times: int = 1, is_done: bool = False) -> None:
        """Have the next calls of *method* fail; *is_done*: although they do what is asked."""
        self._faults[method].extend(Fault(error, is_done) for _ in range(times))

    def be_late(self, method: str) -> None:
        """Have the next call of *method* be given up on, and done only at `arrive`."""
        self._faults[method].append(Fault(TransientError("no answer"), is_late=True))

    def arrive(self) -> None:
        """Do what is late."""
        late, self._late = self._late, []
        for do in late:
            do()

    def block(self, method: str) -> asyncio.Event:
        """Hold every call of *method* until the event is set."""
        self._blocked[method] = asyncio.Event()
        return self._blocked[method]

    def seen(self, chat: str = "") -> list[Seen]:
        """Return what a person sees, in order; of all chats or of one."""
        return [one for one in self._posts.values() if chat in ("", one.chat)]

    def texts(self, chat: str = "") -> list[str]:
        """Return the texts that a person sees, in order."""
        return [one.text for one in self.seen(chat)]

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is seen; the test's time limit ends the wait."""
        while not is_so():
            self._changed.clear()
            await self._changed.wait()

    def delete(self, chat: str) -> None:
        """A person deletes every message of the bot in a chat."""
        self._posts = {id_: one for id_, one in self._posts.items() if one.chat != chat}

    # The port.

    async def post(self, target: Target, shown: Shown, *, key: str, again: bool) -> PostId:
        """See `Posts.post`."""

        def do() -> PostId:
            self._check(shown)
            if again and self._capabilities.finds_posts and self._by_key.get(key) in self._posts:
                return self._by_key[key]
            return self._add(target, self._look(target, shown), key)

        return await self._call("post", target, do)

    async def edit(self, target: Target, post: PostId, shown: Shown) -> None:
        """See `Posts.edit`."""

        def do() -> None:
            self._check(shown)
            self._set(post, replace(self._look(target, shown), thread=self._there(post).thread))

        await self._call("edit", target, do)

    async def remove(self, target: Target, post: PostId) -> None:
        """See `Posts.remove`."""

        def do() -> None:
            self._posts.pop(post, None)

        await self._call("remove", target, do)

    async def grow(self, target: Target, post: PostId, growing: Growing) -> None:
        """See `Signals.grow`."""

        def do() -> None:
            shown = Shown(piece=growing.piece, choices=growing.choices)
            self._check(shown)
            self.statuses.append(growing.status)
            self._set(post, replace(self._there(post), text=growing.piece.text))

        await self._call("grow", target, do)

    async def signal(self, target: Target, status: str) -> None:
        """See `Signals.signal`."""
        await self._call("signal", target, lambda: self.signals.append(status))

    async def mark(self, target: Target, mark: Mark) -> None:
        """See `Signals.mark`."""
        assert self._capabilities.can_mark
        await self._call("mark", target, lambda: self.marks[target.message_id].append(mark))

    async def upload(self, target: Target, file: Attachment, *, key: str, again: bool) -> None:
        """See `Uploads.upload`."""

        def do() -> None:
            assert 0 < len(file.data) <= self._capabilities.max_file_bytes
            if again and self._capabilities.finds_posts and self._by_key.get(key) in self._posts:
                return
            look = Seen(self.chat_of(target), self._thread_of(target), "", target.message_id)
            self._add(target, replace(look, text=file.name, file=file.data), key)

        await self._call("upload", target, do)

    # How it works.

    async def _call(self, method: str, target: Target, do: Callable[[], T]) -> T:
        """Do one call, unless the law or a fault stands against it."""
        self.calls.append(method)
        self._told()
        started_at = asyncio.get_running_loop().time()
        await asyncio.sleep(self._delay())
        self._obey(self.chat_of(target), started_at)
        if method in self._blocked:
            await self._blocked[method].wait()
        if method != "mark" and target.conversation in self.gone_threads and not target.in_chat:
            raise ThreadGoneError("cannot show a message: the thread is gone")
        try:
            return await self._done(method, target, do)
        except PlatformBusyError as error:
            self._punish(self._law(self.chat_of(target), error), error.retry_after_s)
            raise
        finally:
            await asyncio.sleep(self._delay())

    async def _done(self, method: str, target: Target, do: Callable[[], T]) -> T:
        fault = self._next_fault(method)
        if fault is not None and not fault.is_done:
            if fault.is_late:
                self._late.append(lambda: _quietly(do))
            raise fault.error
        is_step = method in {"post", "edit", "upload", "remove"}
        if self.step is not None and is_step:
            await self.step(target.message_id)
        answer = do()
        self._told()
        if self.step is not None and is_step:
            await self.step(target.message_id)
        if fault is not None:
            raise fault.error
        return answer

    def _next_fault(self, method: str) -> Fault | None:
        if self._faults[method]:
            return self._faults[method].popleft()
        error = self.misfortune() if self.misfortune is not None else None
        return Fault(error) if error is not None else None

    def _obey(self, chat: str, started_at: float) -> None:
        """Refuse what is more than allowed; a caller may not know yet that it is closed."""
        now = asyncio.get_running_loop().time()
        laws = ((self._overall, True), (self._chats.setdefault(chat, self._new_law()), False))
        for law, is_overall in laws:
            broken_until = law.broken_until(now)
            if now < law.closed_until and started_at > law.told_at:
                self.calls_in_penalty += 1
            elif now >= law.closed_until and broken_until > now:
                self.avoidable_refusals += 1
            until = max(broken_until, law.closed_until)
            if until > now:
                self._punish(law, until - now)
                raise PlatformBusyError("busy", retry_after_s=until - now, is_overall=is_overall)
        for law, _ in laws:
            law.calls.append(now)
        self.accepted += 1

    def _law(self, chat: str, error: PlatformBusyError) -> Law:
        return self._overall if error.is_overall else self._chats[chat]

    def _punish(self, law: Law, for_s: float) -> None:
        now = asyncio.get_running_loop().time()
        law.closed_until = max(law.closed_until, now + for_s)
        law.told_at = now + 2 * self._longest_delay_s

    def _new_law(self) -> Law:
        return Law(self._capabilities.per_chat)

    def _check(self, shown: Shown) -> None:
        text = shown.piece.plain if shown.is_plain else shown.piece.text
        assert text.strip(), "a message must not be blank"
        assert len(text) <= self._capabilities.limit.size, "a message must be within the limit"
        assert not shown.choices or self._capabilities.has_choices
        assert not shown.is_private or self._capabilities.has_private

    def _look(self, target: Target, shown: Shown) -> Seen:
        return Seen(
            chat=self.chat_of(target),
            thread=self._thread_of(target),
            text=shown.piece.plain if shown.is_plain else shown.piece.text,
            answers=target.message_id,
            choices=shown.choices,
            author=shown.author,
            is_private=shown.is_private,
        )

    def _thread_of(self, target: Target) -> str:
        return "" if target.in_chat else target.conversation.partition(":")[2]

    def _add(self, target: Target, look: Seen, key: str) -> PostId:
        post = PostId(f"p{next(self._numbers)}")
        self._posts[post] = look
        self._by_key[key] = post
        return post

    def _there(self, post: PostId) -> Seen:
        if post not in self._posts:
            raise PostGoneError("cannot edit a message: it is gone")
        return self._posts[post]

    def _set(self, post: PostId, look: Seen) -> None:
        assert self._capabilities.can_edit
        self._there(post)
        self._posts[post] = look

    def _told(self) -> None:
        self._changed.set()


def _quietly(do: Callable[[], object]) -> None:
    with contextlib.suppress(PostGoneError):
        do()
