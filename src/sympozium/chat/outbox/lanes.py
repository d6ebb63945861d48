"""Deliveries in order within each conversation, and conversations side by side.

How many there are is bounded by what the bus hands out unacknowledged. The bus waits
while one is held; at the end it is given back.
"""

import asyncio
import contextlib
from bisect import insort
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from sympozium.bus.cancelled import ended
from sympozium.bus.ports import Delivery
from sympozium.contract.errors import TransientError
from sympozium.contract.messages import OutboundMessage
from sympozium.contract.names import ConversationId

MAX_REMEMBERED = 4096
"""Settled deliveries of which the acknowledgement may have been lost."""


@dataclass(eq=False)
class Item:
    """One delivery in our hands.

    Attributes:
        time: When the message was published.
        failures: How often a bug stood in its way.
    """

    delivery: Delivery
    message: OutboundMessage
    time: datetime
    failures: int = 0


@dataclass
class _Lane:
    """The open items of one conversation, by their place in the stream."""

    items: list[Item] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


Settle = Callable[[Item], Awaitable[None]]
HoldFor = Callable[[Item], float]
"""Returns for how many seconds an item is to wait for earlier ones that are missing; 0: not."""


class Lanes:
    """Has every item settled in its turn, by a task for each conversation that has any."""

    def __init__(self, settle: Settle, hold_for: HoldFor, group: asyncio.TaskGroup) -> None:
        self._settle = settle
        self._hold_for = hold_for
        self._group = group
        self._lanes: dict[ConversationId, tuple[_Lane, asyncio.Task[None]]] = {}
        self._items: dict[int, Item] = {}
        self._settled: OrderedDict[int, None] = OrderedDict()
        self._is_stopping = False

    def is_settled(self, sequence: int) -> bool:
        """Return whether the delivery was settled, and only its acknowledgement was lost."""
        return sequence in self._settled

    def add(self, item: Item) -> None:
        """Have *item* settled after those of its conversation that came before it."""
        sequence = item.delivery.sequence
        known = self._items.get(sequence)
        if known is not None:  # it came again while it is in our hands
            known.delivery = item.delivery
            return
        self._items[sequence] = item
        conversation = item.message.conversation
        if conversation not in self._lanes:
            lane = _Lane()
            task = self._group.create_task(self._work(conversation, lane))
            self._lanes[conversation] = (lane, task)
        lane, _ = self._lanes[conversation]
        insort(lane.items, item, key=lambda one: one.delivery.sequence)
        lane.changed.set()

    async def stop(self, grace_s: float) -> None:
        """Begin nothing more, give what was begun *grace_s* seconds, and give back the rest."""
        self._is_stopping = True
        tasks = [task for _, task in self._lanes.values()]
        for lane, _ in self._lanes.values():
            lane.changed.set()
        if tasks:
            await asyncio.wait(tasks, timeout=grace_s)
        await ended(*tasks)
        with contextlib.suppress(TransientError):  # then it comes again when its time is over
            for _, item in sorted(self._items.items()):
                await item.delivery.retry(after_s=0)

    async def _work(self, conversation: ConversationId, lane: _Lane) -> None:
        while lane.items and not self._is_stopping:
            lane.changed.clear()
            item = lane.items[0]
            wait_s = self._hold_for(item)
            if wait_s > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await lane.changed.wait()
                continue
            await self._settle(item)
            lane.items.remove(item)
            self._remember(item)
        if not lane.items:
            del self._lanes[conversation]

    def _remember(self, item: Item) -> None:
        sequence = item.delivery.sequence
        del self._items[sequence]
        self._settled[sequence] = None
        while len(self._settled) > MAX_REMEMBERED:
            self._settled.popitem(last=False)
