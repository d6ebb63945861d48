"""The one envelope around everything durable on the bus.

Its payload stays raw bytes until someone needs it. A program that moves a
message on (to the dead letters, say) moves the bytes it received, so fields of
a newer version than its own are kept.
"""

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from sympozium.contract.errors import PermanentError

VERSION = 1
"""Version of the envelope that this code writes. It reads this one and older."""

T = TypeVar("T")


class Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What surrounds a payload.

    Attributes:
        id: Identity of the content; also its `Nats-Msg-Id`.
        time: When it was made, aware.
        trace: W3C `traceparent` of the platform event it stems from, or empty.
    """

    id: str
    version: int = msgspec.field(default=VERSION)
    time: datetime
    trace: str = ""
    payload: msgspec.Raw


_encoder = msgspec.json.Encoder()
_envelope_decoder = msgspec.json.Decoder(Envelope)


def wrap(payload: msgspec.Struct, *, id: str, time: datetime, trace: str = "") -> bytes:
    """Encode *payload* in an envelope of this version."""
    raw = msgspec.Raw(_encoder.encode(payload))
    return _encoder.encode(Envelope(id=id, time=time, trace=trace, payload=raw))


def open_envelope(data: bytes) -> Envelope:
    """Decode an envelope and leave its payload raw.

    Raises:
        PermanentError: *data* is no envelope, or one of a version newer than ours.
    """
    envelope = open_any_version(data)
    if envelope.version > VERSION:
        raise PermanentError(
            f"cannot read an envelope of version {envelope.version}: this program knows "
            f"{VERSION}; upgrade it"
        )
    return envelope


def open_any_version(data: bytes) -> Envelope:
    """Decode an envelope of whatever version, to say of it that it cannot be read.

    Raises:
        PermanentError: *data* is no envelope.
    """
    try:
        return _envelope_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PermanentError(f"cannot decode an envelope: {_safe(error)}") from None


def unwrap(data: bytes, payload_type: type[T]) -> T:
    """Decode the payload of an envelope.

    Raises:
        PermanentError: as `open_envelope`, or the payload does not fit *payload_type*.
    """
    return decode_payload(open_envelope(data), payload_type)


def decode_payload(envelope: Envelope, payload_type: type[T]) -> T:
    """Decode the payload of an opened envelope.

    Raises:
        PermanentError: The payload does not fit *payload_type*.
    """
    return decode(bytes(envelope.payload), payload_type)


def decode(data: bytes, payload_type: type[T]) -> T:
    """Decode bare JSON, as journal lines, live events and requests carry it.

    Raises:
        PermanentError: *data* does not fit *payload_type*.
    """
    try:
        return msgspec.json.decode(data, type=payload_type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        name = getattr(payload_type, "__name__", "union")
        raise PermanentError(f"cannot decode a {name}: {_safe(error)}") from None


def encode(payload: Any) -> bytes:
    """Encode bare JSON, in the form that `decode` reads."""
    return _encoder.encode(payload)


def _safe(error: Exception) -> str:
    """Name what is wrong without the content: msgspec names types and paths only."""
    return str(error) if isinstance(error, msgspec.ValidationError) else type(error).__name__
