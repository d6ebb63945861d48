"""Messages that were delivered to somebody and never settled, found without waiting.

The bus delivers in order, once. But what a program held when it was killed comes
again only after the time to redelivery, and meanwhile newer messages are
delivered: the second message of a conversation could overtake the first. So a
router that starts reads what lies between the acknowledgement floor and the
newest delivery and handles it first; and where a sequence is missing among its
own deliveries (another router has it, or had it), it reads that message too,
before it handles a later one of the same conversation. Whoever else handles the
same message does the same idempotent steps.

What the store knows to be handled is not read. The rest is at most what the bus
leaves unsettled (1024 messages), however far back the floor lies.
"""

from sympozium.bus.ports import Bus, Stored
from sympozium.contract.subjects import INBOX, INBOX_CONSUMER
from sympozium.store.ports import Unfinished


class Backlog:
    """What lies in INBOX before the deliveries of this program."""

    def __init__(self, bus: Bus, store: Unfinished) -> None:
        self._bus = bus
        self._store = store
        self._next = 1
        self.acknowledged = 0
        """The acknowledgement floor, as it was last seen. It only rises."""

    async def at_start(self) -> list[Stored]:
        """Return, in order, what a predecessor may have left unsettled.

        Raises:
            TransientError: The bus or the store is away, or the consumer is not there yet.
        """
        state = await self._bus.state(INBOX_CONSUMER)
        found = await self._unhandled(state.acknowledged + 1, state.delivered)
        self._next, self.acknowledged = state.delivered + 1, state.acknowledged
        return found

    async def before(self, sequence: int) -> list[Stored]:
        """Return, in order, what was stored before *sequence* and not delivered here.

        Each is returned once. Asking again after an error asks for the same.

        Raises:
            TransientError: The bus or the store is away.
        """
        found: list[Stored] = []
        if sequence > self._next:
            state = await self._bus.state(INBOX_CONSUMER)
            self.acknowledged = state.acknowledged
            found = await self._unhandled(max(self._next, state.acknowledged + 1), sequence - 1)
        self._next = max(self._next, sequence + 1)
        return found

    async def _unhandled(self, low: int, high: int) -> list[Stored]:
        if low > high:
            return []
        handled = await self._store.handled(low, high)
        unknown = [sequence for sequence in range(low, high + 1) if sequence not in handled]
        found = [await self._bus.at(INBOX, sequence) for sequence in unknown]
        return [stored for stored in found if stored is not None]
