"""Dealing with events side by side: in order within a channel, and no channel waits for another.

A file that takes seconds to fetch must not let a button elsewhere miss the three
seconds in which it has to be answered.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from sympozium.bus.cancelled import ended
from sympozium_discord.gateway import Dispatch

MAX_OPEN = 64
"""Events in hand at once; more are read when one of them is done."""

HURRIED = "INTERACTION_CREATE"

HELD_UP_AFTER_S = 2.0
"""An event that waits longer behind another one of its channel is seen to wait."""

DealWith = Callable[[Dispatch], Awaitable[None]]


class Lanes:
    """The events that are in hand, and how far the session was dealt with.

    What comes again in a session while it is in hand, or after it was done, is left out.
    """

    def __init__(
        self,
        deal_with: DealWith,
        hold: DealWith,
        group: asyncio.TaskGroup,
        moved: Callable[[], None],
    ) -> None:
        """Deal with each event by *deal_with*; what waits long for its turn is shown by *hold*."""
        self._deal_with = deal_with
        self._hold = hold
        self._group = group
        self._moved = moved
        self._newest = 0
        self._open: OrderedDict[int, None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._tails: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(MAX_OPEN)
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in hand, of this session or an earlier one."""
        return not self._tasks

    @property
    def position(self) -> int:
        """The sequence up to which every event of the session was dealt with."""
        return next(iter(self._open)) - 1 if self._open else self._newest

    def begin_session(self, sequence: int) -> None:
        """Count anew: a session has begun at *sequence*, or is resumed from there."""
        self._newest = sequence
        self._open = OrderedDict()

    def pass_over(self, sequence: int) -> None:
        """Note an event that needs no dealing with."""
        self._newest = max(self._newest, sequence)

    async def put(self, event: Dispatch) -> None:
        """Begin to deal with an event, as soon as there is room."""
        if event.sequence <= self._newest:
            return
        await self._slots.acquire()
        self._newest = event.sequence
        self._open[event.sequence] = None
        self._idle.clear()
        lane, open_ = lane_of(event), self._open
        task = self._group.create_task(self._run(event, self._tails.get(lane)))
        self._tails[lane] = task
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._done(event, open_, done))

    async def finish(self, *, within_s: float) -> bool:
        """Wait for what is in hand, and give the rest up; return whether all of it was done."""
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            await ended(*self._tasks)
            return False
        return True

    async def _run(self, event: Dispatch, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            _, waiting = await asyncio.wait([before], timeout=HELD_UP_AFTER_S)
            if waiting:
                await self._hold(event)
                await asyncio.wait([before])
        await self._deal_with(event)

    def _done(
        self, event: Dispatch, open_: OrderedDict[int, None], task: asyncio.Task[None]
    ) -> None:
        lane = lane_of(event)
        if self._tails.get(lane) is task:
            del self._tails[lane]
        self._tasks.remove(task)
        self._slots.release()
        if not self._tasks:
            self._idle.set()
        if not task.cancelled() and task.exception() is None:  # else it comes again
            del open_[event.sequence]
            self._moved()


def lane_of(event: Dispatch) -> str:
    """Return what an event must stay in order with: its channel, or all that have none.

    Commands and buttons do not wait for messages: they must be answered within seconds.
    """
    channel = event.data.get("channel_id") if isinstance(event.data, dict) else None
    kind = event.name if event.name == HURRIED else ""
    return f"{channel if isinstance(channel, str) else ''}:{kind}"
