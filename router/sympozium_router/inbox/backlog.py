"""Messages that were delivered to somebody and never settled, found without waiting.

The bus delivers in order, once. But what a program held when it was killed comes
again only after the time to redelivery, and meanwhile newer messages are
delivered: the second message of a conversation could overtake the first. So a
router that starts reads what lies between the acknowledgement floor and the
newest delivery and handles it first; and where somebody else was given something
between its own deliveries (another router has it, or had it), it reads that too,
before it handles a later one of the same conversation. Whoever else handles the
same message does the same idempotent steps.

What the store knows to be handled is not kept, nor is anything of other namespaces
read. The rest is at most what the bus leaves unsettled of one namespace, however far
back the floor lies.
"""

from sympozium.bus.ports import Bus, Stored
from sympozium.contract.subjects import INBOX, inbox_consumer
from sympozium.store.ports import Unfinished


class Backlog:
    """What lies in the line of one namespace before the deliveries of this program."""

    def __init__(self, bus: Bus, store: Unfinished, namespace: str) -> None:
        self._bus = bus
        self._store = store
        self._namespace = namespace
        self._line = inbox_consumer(namespace)
        self._next = 1
        self._may_miss = False
        self.acknowledged = 0
        """The acknowledgement floor, as it was last seen. It only rises."""

    async def at_start(self) -> list[Stored]:
        """Return, in order, what a predecessor may have left unsettled.

        Raises:
            NoConsumerError: There is no line yet.
            TransientError: The bus or the store is away.
        """
        state = await self._bus.state(self._line)
        found = await self._unhandled(state.acknowledged + 1, state.delivered)
        self._next, self.acknowledged = state.delivered + 1, state.acknowledged
        return found

    async def before(self, sequence: int, *, follows: bool = False) -> list[Stored]:
        """Return, in order, what was stored before *sequence* and not delivered here.

        Each is returned once. Asking again after an error asks for the same.

        Args:
            sequence: What was delivered now.
            follows: Nobody was given anything since the delivery before.

        Raises:
            TransientError: The bus or the store is away.
        """
        self._may_miss |= not follows
        if sequence < self._next:  # it came again, and says nothing of what is new
            return []
        found: list[Stored] = []
        if sequence > self._next and self._may_miss:
            state = await self._bus.state(self._line)
            self.acknowledged = state.acknowledged
            found = await self._unhandled(max(self._next, state.acknowledged + 1), sequence - 1)
        self._next, self._may_miss = sequence + 1, False
        return found

    async def _unhandled(self, low: int, high: int) -> list[Stored]:
        if low > high:
            return []
        handled = await self._store.handled(low, high, namespace=self._namespace)
        found: list[Stored] = []
        since = low
        while since <= high:
            if since in handled:
                since += 1
                continue
            stored = await self._bus.next(INBOX, self._line.subject, since=since)
            if stored is None or stored.sequence > high:
                break
            if stored.sequence not in handled:
                found.append(stored)
            since = stored.sequence + 1
        return found
