"""One budget for everything visible: per chat, and for the bot in all.

Send, edit, typing, delete and reactions come out of the same few calls that a
platform allows, so they must be spent by importance: what ends a message waits
for its turn and goes first; what only looks nice is left out when there is no room.
During a penalty nothing is called at all: calling on makes it longer.
"""

import asyncio
import heapq
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count
from types import TracebackType

from sympozium.chat.capabilities import Rate
from sympozium.chat.errors import PlatformBusyError
from sympozium.chat.outbox.rates import Call, Pace

PENALTY_EXTRA_S = 0.25
"""Waited beyond what the platform asks: its clock is not ours."""

TICK_S = 0.001
"""A timer may end a clock's tick before its time, and would be set again for nothing."""

SWEEP_AT_CHATS = 1024


class Urgency(IntEnum):
    """What waits for a turn; the lowest goes first, then who came first."""

    END = 0
    """An answer, an error, a file: it waits as long as it takes."""
    START = 1
    """A placeholder."""


@dataclass(order=True)
class _Waiter:
    urgency: Urgency
    number: int
    granted: "asyncio.Future[Turn]" = field(compare=False)


@dataclass
class _Line:
    """Who waits for one chat.

    Attributes:
        place: Its latest entry among those that are ready or will be; older ones are void.
    """

    pace: Pace
    waiting: list[_Waiter] = field(default_factory=list)
    place: int = 0

    def first(self) -> _Waiter | None:
        while self.waiting and self.waiting[0].granted.done():
            heapq.heappop(self.waiting)
        return self.waiting[0] if self.waiting else None


class Turn:
    """The right to one call. Make it within `with`; how it ends is noted there.

    A `PlatformBusyError` that leaves the block closes the chat, or the bot, for as
    long as the platform asks.
    """

    def __init__(self, budget: "Budget", chat: str, calls: tuple[Call, Call]) -> None:
        self._budget = budget
        self._chat = chat
        self._calls = calls

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._budget.ended(self._chat, self._calls, error)


class Budget:
    """Who may call when. All times are those of the running loop's clock."""

    def __init__(self, per_chat: tuple[Rate, ...], overall: tuple[Rate, ...]) -> None:
        self._per_chat = per_chat
        self._overall = Pace(overall)
        self._lines: dict[str, _Line] = {}
        self._ready: list[tuple[Urgency, int, int, str]] = []
        self._later: list[tuple[float, int, str]] = []
        self._count = count()
        self._timer: asyncio.TimerHandle | None = None
        self._sweep_at = SWEEP_AT_CHATS

    def __len__(self) -> int:
        """Return how many chats are remembered."""
        return len(self._lines)

    async def turn(self, chat: str, urgency: Urgency) -> Turn:
        """Wait for the right to one call in *chat*, and take it."""
        granted: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(urgency, next(self._count), granted)
        heapq.heappush(self._line(chat).waiting, waiter)
        self._place(chat)
        self._pump()
        try:
            return await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                with granted.result():  # granted and not used
                    raise
            raise

    def spare(self, chat: str) -> Turn | None:
        """Take the right to one call that nobody misses; None: there is no room for it now."""
        if not self.has_room(chat):
            return None
        return self._start(chat, self._line(chat))

    def has_room(self, chat: str) -> bool:
        """Return whether `spare` would give a turn now."""
        now = self._now()
        line = self._lines.get(chat)
        if line is not None and (line.first() or line.pace.room_at(now, is_spare=True) > now):
            return False
        return not self._somebody_waits() and self._overall.room_at(now, is_spare=True) <= now

    def closed_for_s(self, chat: str) -> float:
        """Return how much longer a penalty lasts for *chat*; 0: there is none."""
        line = self._lines.get(chat)
        closed = line.pace.closed_until if line is not None else 0.0
        return max(0.0, closed - self._now(), self._overall.closed_until - self._now())

    def close(self, chat: str, for_s: float) -> None:
        """Call nothing in *chat* for so long, and less often afterwards."""
        now = self._now()
        self._line(chat).pace.close(now, now + for_s)
        self._place(chat)

    def close_all(self, for_s: float) -> None:
        """Call nothing at all for so long, and less often afterwards."""
        now = self._now()
        self._overall.close(now, now + for_s)

    def ended(self, chat: str, calls: tuple[Call, Call], error: BaseException | None) -> None:
        """Note how a call ended; called by its `Turn`."""
        now = self._now()
        line = self._line(chat)
        for call in calls:
            call.ended_at = now
        if isinstance(error, PlatformBusyError):
            for_s = max(0.0, error.retry_after_s) + PENALTY_EXTRA_S
            self.close_all(for_s) if error.is_overall else self.close(chat, for_s)
        elif error is None:
            line.pace.taken()
            self._overall.taken()
        self._place(chat)
        self._pump()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _line(self, chat: str) -> _Line:
        line = self._lines.get(chat)
        if line is None:
            self._sweep()
            line = self._lines[chat] = _Line(Pace(self._per_chat, used_at=self._now()))
        return line

    def _sweep(self) -> None:
        if len(self._lines) < self._sweep_at:
            return
        now = self._now()
        self._lines = {
            chat: line
            for chat, line in self._lines.items()
            if line.first() is not None or not line.pace.is_idle(now)
        }
        self._sweep_at = max(SWEEP_AT_CHATS, 2 * len(self._lines))

    def _place(self, chat: str) -> None:
        """Put a chat where the pump finds it: now, or at its time. The last place counts."""
        line = self._lines[chat]
        line.place = next(self._count)
        first = line.first()
        if first is None:
            return
        now = self._now()
        due = line.pace.room_at(now)
        if due <= now:
            heapq.heappush(self._ready, (first.urgency, first.number, line.place, chat))
        else:
            heapq.heappush(self._later, (due, line.place, chat))

    def _pump(self) -> None:
        """Grant every turn that may be taken now, and wake up when the next one may."""
        now = self._now()
        while self._later and self._later[0][0] <= now:
            _, place, chat = heapq.heappop(self._later)
            if self._is_at(chat, place):
                self._place(chat)
        while self._somebody_waits() and self._overall.room_at(now) <= now:
            self._grant(heapq.heappop(self._ready)[3])
        self._wake_later(now)

    def _is_at(self, chat: str, place: int) -> bool:
        line = self._lines.get(chat)
        return line is not None and line.place == place and line.first() is not None

    def _somebody_waits(self) -> bool:
        """Return whether a chat has both room and a waiter."""
        while self._ready and not self._is_at(self._ready[0][3], self._ready[0][2]):
            heapq.heappop(self._ready)
        return bool(self._ready)

    def _grant(self, chat: str) -> None:
        line = self._lines[chat]
        first = line.first()
        if first is not None:
            heapq.heappop(line.waiting)
            first.granted.set_result(self._start(chat, line))

    def _start(self, chat: str, line: _Line) -> Turn:
        now = self._now()
        turn = Turn(self, chat, (line.pace.start(now), self._overall.start(now)))
        self._place(chat)
        return turn

    def _wake_later(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        times = [self._later[0][0]] if self._later else []
        if self._ready:
            times.append(self._overall.room_at(now))
        if times:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(min(times) + TICK_S, self._pump)
