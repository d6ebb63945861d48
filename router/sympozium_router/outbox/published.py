"""Which ends the OUTBOX holds already, for ends that the bus has forgotten.

The bus recognises a repeated id for 15 minutes. A router that was killed between
publishing an end and noting it, and is back only after that, would publish it
again. So an old end is looked for in the stream before it is published. That
reads the stream's messages of one channel once, and happens after long outages
only.
"""

from datetime import UTC, datetime, timedelta

from sympozium.bus.ports import Bus
from sympozium.contract.envelope import unwrap
from sympozium.contract.errors import PermanentError
from sympozium.contract.limits import DUPLICATE_WINDOW
from sympozium.contract.messages import OutboundKind, OutboundMessage
from sympozium.contract.subjects import OUTBOX, outbox
from sympozium.store.ports import Message, MessageKey

_REMEMBERED_FOR = DUPLICATE_WINDOW - timedelta(minutes=2)
"""A little less, because the publish itself takes time and clocks differ."""

FORGOTTEN_AFTER = timedelta(minutes=5)
"""What a long outage left is published by then, and a stream's ends take much memory."""


class Published:
    """Finds ends in the OUTBOX."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._ends: dict[MessageKey, int] = {}
        self._read_up_to: dict[str, int] = {}
        self._asked_at = datetime.min.replace(tzinfo=UTC)

    @property
    def is_holding(self) -> bool:
        """Whether anything that was read is in memory."""
        return bool(self._ends or self._read_up_to)

    def forget(self, *, now: datetime) -> None:
        """Let go of what was read, if nobody has asked for it for a while."""
        if now - self._asked_at > FORGOTTEN_AFTER:
            self._ends.clear()
            self._read_up_to.clear()

    async def sequence(self, message: Message, *, now: datetime) -> int:
        """Return where the end of *message* was published; 0 where the bus can tell or nowhere.

        Raises:
            BusUnavailableError: The stream cannot be read now; publish nothing yet.
        """
        if message.end is None or now - message.end.time < _REMEMBERED_FOR:
            return 0
        self._asked_at = now
        await self._read(message.namespace, message.channel)
        return self._ends.get(message.key, 0)

    async def holds(self, key: MessageKey) -> bool:
        """Return whether OUTBOX holds the end of a message.

        Raises:
            BusUnavailableError: The stream cannot be read now.
        """
        await self._read(key.namespace, key.channel)
        return key in self._ends

    async def _read(self, namespace: str, channel: str) -> None:
        subject = outbox(namespace, channel)
        since = self._read_up_to.get(subject, 0) + 1
        while stored := await self._bus.next(OUTBOX, subject, since=since):
            since = stored.sequence + 1
            self._read_up_to[subject] = stored.sequence
            try:
                shown = unwrap(stored.data, OutboundMessage)
            except PermanentError:
                continue  # of a newer router: it notes its own
            if shown.kind is not OutboundKind.ACCEPTED:
                key = MessageKey(namespace, channel, shown.message_id)
                self._ends.setdefault(key, stored.sequence)
