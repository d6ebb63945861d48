"""Sending again what a channel could not show: for its reader, or for an operator."""

import msgspec

from sympozium.bus.ports import Bus, Stored
from sympozium.contract.envelope import encode, open_envelope, unwrap
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import OutboundKind, OutboundMessage
from sympozium.contract.names import MessageId
from sympozium.contract.subjects import DEAD, OUTBOX, dead, outbox
from sympozium.store.ports import Message

LOOK_AT = 200
"""Dead letters of a channel among which one is looked for; with more, an operator has to look."""


async def find_unshown(bus: Bus, message: Message) -> Stored | None:
    """Return the dead letter that holds the end of *message*; None: its channel gave none up.

    Raises:
        BusUnavailableError: The dead letters cannot be read now.
    """
    subject, since = dead(OUTBOX, message.namespace, message.channel), 1
    for _ in range(LOOK_AT):
        stored = await bus.next(DEAD, subject, since=since)
        if stored is None:
            return None
        if _is_end_of(message.id, stored.data):
            return stored
        since = stored.sequence + 1
    return None


async def send_again(bus: Bus, stored: Stored) -> None:
    """Have a channel show again what it could not. Doing it again has no effect.

    The dead letter stays; whoever has noted that this is done removes it.

    Raises:
        TransientError: The bus is away or has no room now.
    """
    _, _, namespace, channel = stored.subject.split(".", 3)
    id_ = f"{stored.subject}/{stored.sequence}/again"
    await bus.publish(outbox(namespace, channel), _as_new(stored), message_id=id_)


def _is_end_of(message_id: MessageId, data: bytes) -> bool:
    try:
        shown = unwrap(data, OutboundMessage)
    except PermanentError:
        return False
    is_end = shown.kind is not OutboundKind.ACCEPTED
    return is_end and (shown.again_for or shown.message_id) == message_id


def _as_new(stored: Stored) -> bytes:
    """Return an end as one of a message of its own, so that what was shown does not stand in it.

    What says that a run exists, and what cannot be read here, stays as it is.
    """
    try:
        message = unwrap(stored.data, OutboundMessage)
    except PermanentError:
        return stored.data
    if message.kind is OutboundKind.ACCEPTED:
        return stored.data
    first = message.again_for or message.message_id
    shown = msgspec.structs.replace(
        message, message_id=MessageId(f"{first}~{stored.sequence}"), again_for=first
    )
    envelope = open_envelope(stored.data)
    return encode(msgspec.structs.replace(envelope, payload=msgspec.Raw(encode(shown))))
