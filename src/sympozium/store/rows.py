"""Messages and ends as rows, and back."""

from typing import Any

import msgspec
import sqlalchemy as sa

from sympozium.contract.messages import InboundMessage
from sympozium.contract.names import MessageId, RunName, RunUid
from sympozium.store.records import Cut, End, Message, MessageKey

Values = dict[str, Any]

_encode = msgspec.json.Encoder().encode
_letter = msgspec.json.Decoder(InboundMessage)
_end = msgspec.json.Decoder(End)

NO_END: Values = {"ended_at": None, "told": None, "input_tokens": 0, "output_tokens": 0}


def key_values(key: MessageKey) -> Values:
    """Return the parameters by which the statements find a message."""
    return {
        "key_namespace": key.namespace,
        "key_channel": key.channel,
        "key_message_id": key.message_id,
    }


def message_values(message: Message) -> Values:
    """Return a new message's row.

    Raises:
        UnicodeError: Its text is no text.
    """
    return {
        "namespace": message.namespace,
        "channel": message.channel,
        "message_id": message.inbound.message_id,
        "conversation": message.inbound.conversation,
        "sequence": message.sequence,
        "recorded_at": message.recorded_at,
        "agent": message.agent,
        "run_uid": message.run_uid,
        "outbox_sequence": message.outbox_sequence,
        **changing_values(message),
        **(NO_END if message.end is None else end_values(message.end)),
    }


def changing_values(message: Message) -> Values:
    """Return what of an open message may change by a decision."""
    return {
        "letter": _encode(message.inbound).decode(),
        "run_name": message.run_name,
        "offered_to": message.offered_to,
        "carried_by": message.carried_by,
        "cut": message.cut.value,
        "begun_at": message.begun_at,
    }


def end_values(end: End) -> Values:
    """Return what a message's row says of its end."""
    return {
        "ended_at": end.time,
        "told": _encode(end).decode(),
        "input_tokens": end.usage.input_tokens,
        "output_tokens": end.usage.output_tokens,
    }


def read_message(row: sa.Row[Any]) -> Message:
    """Return the message of a row."""
    return Message(
        namespace=row.namespace,
        channel=row.channel,
        inbound=_letter.decode(row.letter),
        sequence=row.sequence,
        recorded_at=row.recorded_at,
        agent=row.agent,
        run_name=RunName(row.run_name),
        run_uid=RunUid(row.run_uid),
        end=None if row.told is None else _end.decode(row.told),
        outbox_sequence=row.outbox_sequence,
        offered_to=MessageId(row.offered_to),
        carried_by=MessageId(row.carried_by),
        cut=Cut(row.cut),
        begun_at=row.begun_at,
    )
