"""The reaction on a person's message: it follows the facts, in one direction, a call a change.

A reaction is worth little while an answer waits for the same budget, so it is put
on when there is room. Only the newest state is kept: who is late shows the last one.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from sympozium.bus.cancelled import ended
from sympozium.chat.platform import Mark, Target
from sympozium.contract.names import MessageId

log = logging.getLogger(__name__)

MAX_REMEMBERED = 4096
"""Messages whose reaction is known; of older ones the reaction stays as it is."""

LOOK_AGAIN_S = 0.5
"""How often is looked for room for what had none."""

STORED_AFTER_S = 0.3
"""A run is there sooner, as a rule; then its reaction is the first one, and saves a call."""

HELD_AFTER_S = 1.0
"""A bus that is away for a moment is nothing that people need to see."""

MAX_AT_ONCE = 32
"""Reactions being shown side by side; in a rush the others wait in line and cost nothing."""

MAX_FAILURES = 5

GRACE_S = 1.0
"""How long the last reactions may take when the program stops."""

_SHOWN_AFTER_S = {Mark.HELD: HELD_AFTER_S, Mark.STORED: STORED_AFTER_S}
_RANK = {Mark.HELD: 0, Mark.STORED: 1, Mark.RUNNING: 2, Mark.DONE: 3, Mark.FAILED: 3, Mark.NONE: 3}


class Outcome(Enum):
    """What came of showing a reaction."""

    SHOWN = "shown"
    SHED = "shed"
    """There is no room now; nothing was called."""
    LOST = "lost"
    """It may be there or not."""
    OFF = "off"
    """Here it can never be shown."""
    GONE = "gone"
    """What it belongs to is gone, or too old to be changed."""


ShowMark = Callable[[Target, Mark], Awaitable[Outcome]]


def advanced(now: Mark | None, to: Mark) -> Mark:
    """Return the state after the fact *to*: what is behind us, or a second end, changes nothing."""
    return to if now is None or _RANK[to] > _RANK[now] else now


@dataclass
class _Reaction:
    target: Target
    wanted: Mark
    shown: Mark | None = None
    failures: int = 0
    is_busy: bool = False

    @property
    def is_open(self) -> bool:
        return not self.is_busy and self.shown is not self.wanted


class Marks:
    """The reactions of one channel. What is wanted is shown by `show_loop`."""

    def __init__(self) -> None:
        self._reactions: OrderedDict[MessageId, _Reaction] = OrderedDict()
        self._open: OrderedDict[MessageId, None] = OrderedDict()
        self._showing: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    def stored(self, target: Target) -> None:
        """The message is on the bus' disk. Called by a channel after `Intake.store`."""
        self.reach(target, Mark.STORED)

    def has_seen(self, message_id: MessageId) -> bool:
        """Return whether the message came in, or went on, since this program began."""
        return message_id in self._reactions

    def reach(self, target: Target, mark: Mark) -> None:
        """A fact: the message has come so far. Returns at once; shown when there is room."""
        reaction = self._reactions.get(target.message_id)
        if reaction is None:
            reaction = self._reactions[target.message_id] = _Reaction(target, mark)
            self._forget_oldest()
        reaction.wanted = advanced(reaction.wanted, mark)
        if reaction.wanted is Mark.NONE and reaction.shown is None and not reaction.is_busy:
            reaction.shown = Mark.NONE  # nothing was put there, so nothing is taken away
        if reaction.is_open:
            self._open[target.message_id] = None
            self._wake.set()

    async def show_loop(self, show: ShowMark, stop: asyncio.Event) -> None:
        """Show what is wanted with *show*, until *stop* is set."""
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self._look(show, group))
            await stop.wait()
            if self._showing:
                await asyncio.wait(self._showing, timeout=GRACE_S)
            await ended(looking, *self._showing)

    async def _look(self, show: ShowMark, group: asyncio.TaskGroup) -> None:
        while True:
            self._wake.clear()
            while self._open and len(self._showing) < MAX_AT_ONCE:
                message_id, _ = self._open.popitem(last=False)
                reaction = self._reactions[message_id]
                if reaction.is_open:
                    reaction.is_busy = True
                    task = group.create_task(self._show(message_id, reaction, show))
                    self._showing.add(task)
                    task.add_done_callback(self._shown)
            await self._wake.wait()

    def _shown(self, task: "asyncio.Task[None]") -> None:
        self._showing.discard(task)
        self._wake.set()

    async def _show(self, message_id: MessageId, reaction: _Reaction, show: ShowMark) -> None:
        if reaction.wanted in _SHOWN_AFTER_S:
            await asyncio.sleep(_SHOWN_AFTER_S[reaction.wanted])
        mark = reaction.wanted
        try:
            outcome = await show(reaction.target, mark)
        except Exception:  # a bug with one reaction must not stop the answers
            log.exception("reaction not shown", extra={"action": "drop"})
            outcome = Outcome.OFF
        if outcome is Outcome.SHED:
            await asyncio.sleep(LOOK_AGAIN_S)
        elif outcome is Outcome.LOST and reaction.failures < MAX_FAILURES:
            reaction.failures += 1
            await asyncio.sleep(LOOK_AGAIN_S * 2.0**reaction.failures)
        else:
            reaction.shown = mark
        reaction.is_busy = False
        if reaction.is_open and message_id in self._reactions:
            self._open[message_id] = None
            self._wake.set()

    def _forget_oldest(self) -> None:
        while len(self._reactions) > MAX_REMEMBERED:
            message_id, _ = self._reactions.popitem(last=False)
            with contextlib.suppress(KeyError):
                del self._open[message_id]
