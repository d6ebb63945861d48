from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.envelope import wrap
from sympozium.contract.messages import InboundMessage, Sender
from sympozium.contract.names import ConversationId, MessageId
from sympozium_router.letters import read_letter

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SUBJECT = "inbox.default.web"


def stored(text: str = "hello", message_id: str = "m1", conversation: str = "c") -> bytes:
    message = InboundMessage(
        message_id=MessageId(message_id),
        conversation=ConversationId(conversation),
        sender=Sender(platform="web", user_id="ada"),
        text=text,
        time=NOW,
    )
    return wrap(message, id=message_id, time=NOW)


def test_where_a_letter_came_from_is_said_by_its_subject() -> None:
    letter = read_letter("inbox.tenant-a.bot", 3, stored())
    assert letter.conversation == ("tenant-a", "bot", "c")
    assert letter.problem == ""


@pytest.mark.parametrize("text", ["", " \n", "x" * 65537, "ü" * 32769])
def test_a_text_that_no_run_can_have_is_a_problem_that_can_be_answered(text: str) -> None:
    letter = read_letter(SUBJECT, 1, stored(text))
    assert letter.problem
    assert letter.inbound is not None


def test_an_unreadable_letter_that_says_whose_it_is_can_be_answered() -> None:
    data = stored().replace(b'"text":"hello"', b'"text":17')
    letter = read_letter(SUBJECT, 1, data)
    assert letter.problem
    assert letter.inbound is not None
    assert letter.inbound.message_id == "m1"


@pytest.mark.parametrize("id_", ["", "a\r\nNats-Msg-Id: b", "ä", "x" * 501, "a b"])
def test_ids_that_a_header_could_not_carry_are_not_answered(id_: str) -> None:
    assert read_letter(SUBJECT, 1, stored(message_id=id_)).inbound is None
    assert read_letter(SUBJECT, 1, stored(conversation=id_)).inbound is None


@given(data=st.binary() | st.just(stored()).map(lambda good: good[: len(good) // 2]))
def test_anything_that_is_no_message_is_read_as_a_problem(data: bytes) -> None:
    letter = read_letter(SUBJECT, 1, data)
    assert letter.problem
    assert letter.inbound is None


@given(position=st.integers(min_value=0, max_value=len(stored()) - 1), byte=st.binary(max_size=3))
def test_a_damaged_message_never_breaks_the_reader(position: int, byte: bytes) -> None:
    data = stored()
    read_letter(SUBJECT, 1, data[:position] + byte + data[position + 1 :])
