"""Taking messages from INBOX to the reception, in order within a conversation.

Every conversation has a queue of its own, worked on side by side with the others.
A message that cannot be handled now stays at the head of its queue and is tried
again there; it is never handed back to the bus, behind a later one of its
conversation. What is held is said to be in work, so that the bus waits, and is
acknowledged when what becomes of it is durable.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sympozium.bus.ports import Bus, Delivery, Stored
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import MAX_ATTEMPTS
from sympozium.contract.reasons import Reason
from sympozium.contract.subjects import INBOX_CONSUMER
from sympozium.kube.queue import WorkQueue
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium.store.ports import Conversation
from sympozium_router.backlog import Backlog
from sympozium_router.letters import Letter, read_letter
from sympozium_router.reception import Reception

log = logging.getLogger(__name__)

WORKERS = 64
"""Conversations worked on at once. The API client and the store bound what that costs."""

MAX_BACKOFF_S = 2.0
HANDLE_TIMEOUT_S = 25.0
HOLD_EVERY_S = 10.0
"""A third of the time to redelivery."""

RETRY_S = 0.25


@dataclass
class Item:
    """One message in our hands.

    Attributes:
        delivery: None while it was only read, not delivered.
        failures: How often a bug or a refusal without a name stood in its way.
    """

    letter: Letter
    delivery: Delivery | None = None
    failures: int = 0


class Intake:
    """Holds the messages that are not settled yet."""

    def __init__(
        self,
        bus: Bus,
        backlog: Backlog,
        reception: Reception,
        settled: Callable[[Conversation], None],
    ) -> None:
        self._bus = bus
        self._backlog = backlog
        self._reception = reception
        self._settled = settled
        self._stop = asyncio.Event()
        self._queue: WorkQueue[Conversation] = WorkQueue(max_backoff_s=MAX_BACKOFF_S)
        self._waiting: dict[Conversation, deque[Item]] = {}
        self._items: dict[int, Item] = {}
        self._others: dict[Conversation, list[Letter]] = {}
        self.is_receiving = False
        """Whether what lay before us was read and deliveries are taken."""

    async def run(self, stop: asyncio.Event) -> None:
        """Take messages until *stop* is set; what is begun is finished."""
        self._stop = stop
        async with asyncio.TaskGroup() as group:
            receiving = group.create_task(self._receive())
            holding = group.create_task(self._hold())
            await self._queue.work(self._work, stop, workers=WORKERS)
            receiving.cancel()
            holding.cancel()

    async def _receive(self) -> None:
        for stored in await self._until_there(self._backlog.at_start):
            self._add(_letter(stored))
        self.is_receiving = True
        async with self._bus.consume(INBOX_CONSUMER) as deliveries:
            async for delivery in deliveries:
                await self._take(delivery)

    async def _take(self, delivery: Delivery) -> None:
        reach(Point.ROUTER_RECEIVED)
        sequence = delivery.sequence
        if sequence in self._items:  # it came again, or was read before it came
            self._items[sequence].delivery = delivery
            return
        for stored in await self._until_there(lambda: self._backlog.before(sequence)):
            other = _letter(stored)
            self._others.setdefault(other.conversation, []).append(other)
        letter = read_letter(delivery.subject, sequence, delivery.data)
        for other in self._take_over(letter):
            if other.sequence not in self._items:
                self._add(other)
        self._add(letter, delivery)

    def _take_over(self, letter: Letter) -> list[Letter]:
        """Return, once, what lies before *letter* in its conversation and others may hold."""
        floor = self._backlog.acknowledged
        taken = []
        for conversation, letters in list(self._others.items()):
            open_ = [other for other in letters if other.sequence > floor]
            if conversation == letter.conversation:
                taken = [other for other in open_ if other.sequence < letter.sequence]
                open_ = [other for other in open_ if other.sequence > letter.sequence]
            self._others[conversation] = open_
            if not open_:
                del self._others[conversation]
        return sorted(taken, key=lambda other: other.sequence)

    def _add(self, letter: Letter, delivery: Delivery | None = None) -> None:
        item = self._items[letter.sequence] = Item(letter, delivery)
        self._waiting.setdefault(letter.conversation, deque()).append(item)
        self._queue.add(letter.conversation)

    async def _work(self, conversation: Conversation) -> None:
        """Settle what waits in *conversation*, up to the first message that must wait."""
        waiting = self._waiting.get(conversation, deque())
        while waiting and not self._stop.is_set():
            await self._settle(waiting[0])
            self._items.pop(waiting.popleft().letter.sequence)
            self._settled(conversation)
        if not waiting:
            self._waiting.pop(conversation, None)

    async def _settle(self, item: Item) -> None:
        """Handle a message and acknowledge it, or set it aside for good.

        Raises:
            Exception: It stays where it is and is tried again.
        """
        problem = item.letter.problem
        if not problem:
            problem = await self._give(item)
        if problem:
            await self._set_aside(item, problem)
        elif item.delivery is not None:
            reach(Point.ROUTER_BEFORE_ACK)
            await item.delivery.ack()
            reach(Point.ROUTER_AFTER_ACK)

    async def _give(self, item: Item) -> str:
        """Return why the message can never be handled; empty when it was."""
        inbound = item.letter.inbound
        if inbound is None:
            return "nothing of it can be answered"
        try:
            async with asyncio.timeout(HANDLE_TIMEOUT_S):
                await self._reception.give(item.letter, inbound)
        except TransientError:
            raise
        except TimeoutError as error:
            raise TransientError("cannot handle a message: it takes too long") from error
        except Exception as error:
            item.failures += 1
            if item.failures < MAX_ATTEMPTS and not isinstance(error, PermanentError):
                raise
            log.exception("message set aside", extra={"action": "discard"})
            return f"gave up after {item.failures} attempts: {type(error).__name__}"
        return ""

    async def _set_aside(self, item: Item, problem: str) -> None:
        letter = item.letter
        if letter.inbound is not None:
            reason = Reason.MESSAGE_UNREADABLE if letter.problem else Reason.INTERNAL
            try:
                await self._reception.refuse(letter, letter.inbound, reason)
            except PermanentError as error:  # it must not hold up those behind it for ever
                log.error("message lost to its sender", extra={"action": "discard"}, exc_info=error)
        if item.delivery is not None:
            await item.delivery.discard(reason=f"cannot handle the message: {problem}")

    async def _hold(self) -> None:
        """Tell the bus again and again that what is held is in work."""
        while True:
            await asyncio.sleep(HOLD_EVERY_S)
            held = [item.delivery for item in self._items.values() if item.delivery is not None]
            with contextlib.suppress(TransientError):  # a bus that is away does not redeliver
                for delivery in held:
                    await delivery.working()

    async def _until_there(self, read: Callable[[], Awaitable[list[Stored]]]) -> list[Stored]:
        while True:
            try:
                return await read()
            except TransientError as error:
                cause = {"action": "retry", "cause": str(error)}
                log.debug("cannot read what lies before us yet", extra=cause)
                await asyncio.sleep(RETRY_S)


def _letter(stored: Stored) -> Letter:
    return read_letter(stored.subject, stored.sequence, stored.data)
