"""Taking messages from INBOX to the reception, in order within a conversation.

Every conversation has a queue of its own, worked on side by side with the others; no
namespace has more of the workers than it leaves to the rest.
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
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

import msgspec

from sympozium.bus.ports import Delivery
from sympozium.bus.suspects import FatalMessageError, Suspects
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import MAX_ATTEMPTS
from sympozium.contract.messages import InboundMessage
from sympozium.contract.reasons import Reason
from sympozium.kube.measures import QueueName
from sympozium.kube.queue import WorkQueue
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium.store.ports import Conversation
from sympozium_router.inbox.delays import Held
from sympozium_router.inbox.letters import Letter
from sympozium_router.inbox.lines import Lines
from sympozium_router.inbox.reception import Reception
from sympozium_router.measures import HELD, OLDEST, SETTLED, Settled

log = logging.getLogger(__name__)

WORKERS = 128
"""Conversations worked on at once, of one namespace alone half as many.

The API client and the store bound what that costs.
"""

MAX_BACKOFF_S = 2.0
HANDLE_TIMEOUT_S = 25.0


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
        lines: Lines,
        reception: Reception,
        suspects: Suspects,
        settled: Callable[[Conversation], None],
    ) -> None:
        self._lines = lines
        self._reception = reception
        self._suspects = suspects
        self._settled = settled
        self._stop = asyncio.Event()
        self._queue: WorkQueue[Conversation] = WorkQueue(
            QueueName.INBOX, max_backoff_s=MAX_BACKOFF_S, owner=lambda talk: talk.namespace
        )
        self._waiting: dict[Conversation, deque[Item]] = {}
        self._items: dict[int, Item] = {}

    @property
    def is_receiving(self) -> bool:
        """Whether what lay before us was read and deliveries are taken."""
        return self._lines.is_receiving

    async def run(self, stop: asyncio.Event) -> None:
        """Take messages until *stop* is set; what is begun is finished, the rest given back."""
        self._stop = stop
        HELD.follow(lambda: len(self._items))
        OLDEST.follow(self._oldest_s)
        async with asyncio.TaskGroup() as group:
            receiving = group.create_task(self._lines.receive(self))
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

    def hold(self, letter: Letter, delivery: Delivery | None = None) -> None:
        """Take a message into our hands; see `Hands.hold`."""
        held = self._items.get(letter.sequence)
        if held is not None:
            held.delivery = delivery or held.delivery
            return
        is_suspect = delivery is None or delivery.attempt > 1
        item = self._items[letter.sequence] = Item(letter, delivery, is_suspect)
        self._waiting.setdefault(letter.conversation, deque()).append(item)
        self._queue.add(letter.conversation)

    def _oldest_s(self) -> float:
        now = monotonic()
        return max((now - item.since for item in self._items.values()), default=0.0)

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
