"""From a channel to INBOX: a message is accepted when it is on the bus' disk, and not before."""

import logging
from datetime import UTC, datetime

from sympozium.bus.ports import Bus, Receipt
from sympozium.contract.dead_letters import DeadLetter
from sympozium.contract.envelope import wrap
from sympozium.contract.limits import MAX_TEXT_BYTES
from sympozium.contract.messages import InboundMessage, UnreadableEvent, inbound_id
from sympozium.contract.names import short_hash
from sympozium.contract.subjects import INBOX, inbox
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point

log = logging.getLogger(__name__)

MAX_KEPT_BYTES = 256 * 1024
"""How much of an event that nobody can read is kept for a person to look at."""


class Intake:
    """Stores what people wrote to one channel.

    The platform is answered after `store` has returned, and not before. Whatever it
    raises, the platform is not answered, and brings the same event again.
    """

    def __init__(self, bus: Bus, namespace: str, channel: str) -> None:
        self._bus = bus
        self._namespace = namespace
        self._channel = channel

    async def store(self, message: InboundMessage) -> Receipt:
        """Put *message* into INBOX. The same message id again stores nothing.

        Raises:
            BusUnavailableError: It may or may not be stored; store it again.
            BusFullError: INBOX refuses; tell the platform to come again later.
            BusDeniedError: This channel is not admitted; the controller's log says why.
        """
        data = wrap(message, id=message.message_id, time=message.time)
        subject = inbox(self._namespace, self._channel)
        id_ = inbound_id(self._namespace, self._channel, message.message_id)
        reach(Point.CHANNEL_BEFORE_STORE)
        receipt = await self._bus.publish(subject, data, message_id=id_)
        reach(Point.CHANNEL_AFTER_STORE)
        log.info(
            "message stored",
            extra={
                "action": "store",
                "kind": message.kind.value,
                "reference": short_hash(message.message_id),
                "sequence": receipt.sequence,
                "duplicate": receipt.duplicate,
            },
        )
        return receipt

    async def set_aside(self, event: bytes, *, reason: str) -> None:
        """Keep an event that cannot be read in the dead letters, so that the next one comes.

        Raises:
            BusUnavailableError: It is not kept; do not tell the platform that it was received.
        """
        kept = event[:MAX_KEPT_BYTES]
        id_ = f"{self._namespace}/{self._channel}/unreadable/{short_hash(kept.hex())}"
        now = datetime.now(UTC)
        unread = UnreadableEvent(event=kept.decode(errors="replace"), reason=reason)
        letter = DeadLetter(
            stream=INBOX,
            subject=inbox(self._namespace, self._channel),
            sequence=0,
            reason=reason,
            attempts=1,
            time=now,
            size_bytes=len(event),
            known_as=id_,
        )
        await self._bus.bury(letter, wrap(unread, id=id_, time=now))
        log.warning("event set aside", extra={"action": "discard", "cause": reason})


def fitted(text: str) -> str:
    """Return *text* as INBOX takes it: up to `MAX_TEXT_BYTES`, its end cut off with a note."""
    data = text.replace("\0", "").encode(errors="replace")
    if len(data) <= MAX_TEXT_BYTES:
        return data.decode()
    note = "\n[cut here: the message is longer than 64 KiB]"
    return data[: MAX_TEXT_BYTES - len(note.encode())].decode(errors="ignore") + note
