"""Reading the line of one namespace, so that nothing overtakes what is before it."""

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from sympozium.bus.ports import Bus, Delivery, Stored
from sympozium.contract.errors import TransientError
from sympozium.contract.subjects import inbox_consumer
from sympozium.runtime.loops import until_there
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium.store.ports import Conversation, Unfinished
from sympozium_router.inbox.backlog import Backlog
from sympozium_router.inbox.letters import Letter, read_letter

log = logging.getLogger(__name__)

RETRY_S = 0.25


class Hands(Protocol):
    """The messages of all lines that are not settled yet."""

    def hold(self, letter: Letter, delivery: Delivery | None = None) -> None:
        """Hold a message, behind those of its conversation. One that is held stays where it is.

        A *delivery* is what is settled once it is handled; the newest counts.
        """


class Line:
    """One namespace's messages, on their way into our hands."""

    def __init__(self, bus: Bus, store: Unfinished, namespace: str) -> None:
        self._bus = bus
        self._consumer = inbox_consumer(namespace)
        self._backlog = Backlog(bus, store, namespace)
        self._others: dict[Conversation, list[Letter]] = {}
        self.is_awaited = True
        """Whether it is not known yet what lies before us."""

    async def receive(self, hands: Hands) -> None:
        """Hand over what comes, until cancelled. A line that is not there yet is waited for."""
        for letter in await _read(self._backlog.at_start):
            hands.hold(letter)
        self.is_awaited = False
        async with self._bus.consume(self._consumer) as deliveries:
            async for delivery in deliveries:
                await self._take(delivery, hands)

    async def _take(self, delivery: Delivery, hands: Hands) -> None:
        reach(Point.ROUTER_RECEIVED)
        sequence = delivery.sequence
        letter = read_letter(delivery.subject, sequence, delivery.data)
        for other in await _read(lambda: self._backlog.before(sequence, follows=delivery.follows)):
            self._others.setdefault(other.conversation, []).append(other)
        for other in self._take_over(letter):
            hands.hold(other)
        hands.hold(letter, delivery)

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


async def _read(read: Callable[[], Awaitable[list[Stored]]]) -> list[Letter]:
    """Return what *read* finds before us, as soon as it can be read."""

    def say_that_it_waits(error: TransientError) -> None:
        cause = {"action": "retry", "cause": str(error)}
        log.debug("cannot read what lies before us yet", extra=cause)

    found = await until_there(read, retry_s=RETRY_S, told=say_that_it_waits)
    return [read_letter(stored.subject, stored.sequence, stored.data) for stored in found]
