"""Taking messages from INBOX to the reception, in order within a conversation.

Every conversation has a queue of its own, worked on side by side with the others.
A message that cannot be handled now stays at the head of its queue and is tried
again there; it is never handed back to the bus, behind a later one of its
conversation. The bus waits while a message is held, which is acknowledged when
what becomes of it is durable.

A message is given up for good when it cannot be read, meets a bug so many times, or
so many routers died of it. That something is away gives up none. Its sender is told,
and it becomes a dead letter.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic

import msgspec

from sympozium.bus.ports import Bus, Delivery, Stored
from sympozium.bus.suspects import FatalMessageError, Suspects
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import MAX_ATTEMPTS
from sympozium.contract.messages import InboundMessage
from sympozium.contract.reasons import Reason
from sympozium.contract.subjects import INBOX_CONSUMER
from sympozium.kube.measures import QueueName
from sympozium.kube.queue import WorkQueue
from sympozium.runtime.loops import until_there
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium.store.ports import Conversation
from sympozium_router.inbox.backlog import Backlog
from sympozium_router.inbox.delays import Held
from sympozium_router.inbox.letters import Letter, read_letter
from sympozium_router.inbox.reception import Reception
from sympozium_router.measures import HELD, OLDEST, SETTLED, Settled

log = logging.getLogger(__name__)

WORKERS = 64
"""Conversations worked on at once. The API client and the store bound what that costs."""

MAX_BACKOFF_S = 2.0
HANDLE_TIMEOUT_S = 25.0
RETRY_S = 0.25


@dataclass
class Item:
    """One message in our hands.

    Attributes:
        delivery: None while it was only read, not delivered.
        is_suspect: Somebody else had it in their hands before us, and may have died of it.
        failures: How often a bug or a refusal without a name stood in its way.
        since: When it came into our hands, on the monotonic clock.
    """

    letter: Letter
    delivery: Delivery | None = None
    is_suspect: bool = False
    failures: int = 0
    since: float = field(default_factory=monotonic)


@dataclass(frozen=True)
class Hopeless:
    """Why a message is given up.

    Attributes:
        cause: For an operator.
        is_fatal: Even what is left to do with it may kill.
    """

    cause: str
    attempts: int = 1
    is_fatal: bool = False


class Intake:
    """Holds the messages that are not settled yet."""

    def __init__(
        self,
        bus: Bus,
        backlog: Backlog,
        reception: Reception,
        suspects: Suspects,
        settled: Callable[[Conversation], None],
    ) -> None:
        self._bus = bus
        self._backlog = backlog
        self._reception = reception
        self._suspects = suspects
        self._settled = settled
        self._stop = asyncio.Event()
        self._queue: WorkQueue[Conversation] = WorkQueue(
            QueueName.INBOX, max_backoff_s=MAX_BACKOFF_S
        )
        self._waiting: dict[Conversation, deque[Item]] = {}
        self._items: dict[int, Item] = {}
        self._others: dict[Conversation, list[Letter]] = {}
        self.is_receiving = False
        """Whether what lay before us was read and deliveries are taken."""

    async def run(self, stop: asyncio.Event) -> None:
        """Take messages until *stop* is set; what is begun is finished, the rest given back."""
        self._stop = stop
        HELD.follow(lambda: len(self._items))
        OLDEST.follow(self._oldest_s)
        async with asyncio.TaskGroup() as group:
            receiving = group.create_task(self._receive())
            await self._queue.work(self._work, stop, workers=WORKERS)
            receiving.cancel()
        with contextlib.suppress(TransientError):  # then it comes again when its time is over
            for _, item in sorted(self._items.items()):
                if item.delivery is not None:
                    await item.delivery.retry(after_s=0)

    def hurry(self) -> None:
        """Try again now what was put off."""
        self._queue.hurry()

    def held(self) -> list[Held]:
        """Return the messages in our hands."""
        return [Held(item.letter, item.since) for item in self._items.values()]

    def _oldest_s(self) -> float:
        now = monotonic()
        return max((now - item.since for item in self._items.values()), default=0.0)

    async def _receive(self) -> None:
        for letter in await _read(self._backlog.at_start):
            self._add(letter)
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
        for other in await _read(lambda: self._backlog.before(sequence)):
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
        is_suspect = delivery is None or delivery.attempt > 1
        item = self._items[letter.sequence] = Item(letter, delivery, is_suspect)
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
        hopeless = Hopeless(problem) if problem else await self._give(item)
        if hopeless is not None and await self._is_refused(item, hopeless):
            await self._bury(item, hopeless)
            SETTLED.add(Settled.SET_ASIDE)
            return
        if item.delivery is not None:
            reach(Point.ROUTER_BEFORE_ACK)
            await item.delivery.ack()
            reach(Point.ROUTER_AFTER_ACK)
        SETTLED.add(Settled.HANDLED)

    async def _give(self, item: Item) -> Hopeless | None:
        """Return why the message can never be handled; None when it was."""
        inbound = item.letter.inbound
        if inbound is None:
            return Hopeless("nothing of it can be answered")

        async def give() -> None:
            async with asyncio.timeout(HANDLE_TIMEOUT_S):
                await self._reception.give(item.letter, inbound)

        try:
            if item.is_suspect:
                await self._suspects.handle(item.letter.sequence, give)
            else:
                await give()
        except TransientError:
            raise
        except TimeoutError as error:
            raise TransientError("cannot handle a message: it takes too long") from error
        except FatalMessageError as error:
            return Hopeless(str(error), error.attempts, is_fatal=True)
        except Exception as error:
            item.failures += 1
            if item.failures < MAX_ATTEMPTS and not isinstance(error, PermanentError):
                raise
            log.exception("message set aside", extra={"action": "discard"})
            kind = type(error).__name__
            return Hopeless(f"gave up after {item.failures} attempts: {kind}", item.failures)
        return None

    async def _is_refused(self, item: Item, hopeless: Hopeless) -> bool:
        """Tell the sender, where there is one; False: the message is answered all the same."""
        letter, inbound = item.letter, item.letter.inbound
        if inbound is None:
            return True
        reason = Reason.MESSAGE_UNREADABLE if letter.problem else Reason.SET_ASIDE
        try:
            if not hopeless.is_fatal:
                return await self._reception.refuse(letter, inbound, reason)
            return await self._refuse_what_kills(letter, inbound)
        except PermanentError as error:  # it must not hold up those behind it for ever
            log.error("message lost to its sender", extra={"action": "discard"}, exc_info=error)
            return True

    async def _refuse_what_kills(self, letter: Letter, inbound: InboundMessage) -> bool:
        """Refuse a message with its words, or without them if that kills too."""
        is_refused = True

        async def refuse() -> None:
            nonlocal is_refused
            is_refused = await self._reception.refuse(letter, inbound, Reason.SET_ASIDE)

        try:
            await self._suspects.handle(letter.sequence, refuse, what="refused")
        except FatalMessageError:
            bare = msgspec.structs.replace(inbound, text="", quoted="", files=[])
            is_refused = await self._reception.refuse(letter, bare, Reason.SET_ASIDE)
        return is_refused

    async def _bury(self, item: Item, hopeless: Hopeless) -> None:
        """Keep a message among the dead letters, and have it delivered no more."""
        reason = f"cannot handle the message: {hopeless.cause}"
        if item.delivery is None:
            await self._reception.aside.bury(item.letter.sequence, reason, hopeless.attempts)
        else:
            await item.delivery.discard(reason=reason, attempts=hopeless.attempts)


async def _read(read: Callable[[], Awaitable[list[Stored]]]) -> list[Letter]:
    """Return what *read* finds before us, as soon as it can be read."""

    def say_that_it_waits(error: TransientError) -> None:
        cause = {"action": "retry", "cause": str(error)}
        log.debug("cannot read what lies before us yet", extra=cause)

    found = await until_there(read, retry_s=RETRY_S, told=say_that_it_waits)
    return [_letter(stored) for stored in found]


def _letter(stored: Stored) -> Letter:
    return read_letter(stored.subject, stored.sequence, stored.data)
