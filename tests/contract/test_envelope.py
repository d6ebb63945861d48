from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.envelope import VERSION, open_envelope, unwrap, wrap
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import InboundMessage, OutboundKind, Sender, outbound_id
from sympozium.contract.names import ConversationId, MessageId

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)

OLD_BYTES = (
    b'{"id":"web:default/web:c:1","time":"2026-01-02T12:00:00Z","payload":'
    b'{"messageId":"web:default/web:c:1","conversation":"c","sender":{"platform":"web",'
    b'"userId":"owner"},"text":"hello","time":"2026-01-02T12:00:00Z"}}'
)
"""An inbound message as the first version wrote it. Stored streams hold such bytes."""


def message(text: str = "hello") -> InboundMessage:
    return InboundMessage(
        message_id=MessageId("web:default/web:c:1"),
        conversation=ConversationId("c"),
        sender=Sender(platform="web", user_id="owner"),
        text=text,
        time=NOON,
    )


@given(text=st.text())
def test_what_is_wrapped_can_be_unwrapped(text: str) -> None:
    data = wrap(message(text), id="m", time=NOON, trace="t")
    assert unwrap(data, InboundMessage) == message(text)
    assert (open_envelope(data).id, open_envelope(data).trace) == ("m", "t")


def test_old_bytes_still_decode() -> None:
    assert unwrap(OLD_BYTES, InboundMessage) == message()


def test_fields_of_a_newer_program_are_no_error_and_stay_in_the_raw_payload() -> None:
    newer = OLD_BYTES.replace(b'"text"', b'"mood":"fine","text"')
    assert unwrap(newer, InboundMessage) == message()
    assert b'"mood":"fine"' in bytes(open_envelope(newer).payload)


def test_an_envelope_of_a_newer_version_asks_for_an_upgrade() -> None:
    data = OLD_BYTES.replace(b"{", b'{"version":%d,' % (VERSION + 1), 1)
    with pytest.raises(PermanentError, match="upgrade"):
        unwrap(data, InboundMessage)


@given(data=st.binary())
def test_any_bytes_are_an_envelope_or_a_permanent_error(data: bytes) -> None:
    with suppress(PermanentError):
        open_envelope(data)


@given(value=st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_a_payload_of_another_shape_is_a_permanent_error(value: object) -> None:
    envelope = msgspec.json.encode({"id": "m", "time": NOON, "payload": value})
    with pytest.raises(PermanentError):
        unwrap(envelope, InboundMessage)


def test_a_message_has_one_end_whatever_its_kind() -> None:
    message_id = MessageId("m")
    final = outbound_id(message_id, OutboundKind.FINAL)
    assert final == outbound_id(message_id, OutboundKind.ERROR)
    assert final != outbound_id(message_id, OutboundKind.ACCEPTED)
