from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.envelope import wrap
from sympozium.contract.files import good_files
from sympozium.contract.messages import (
    Command,
    FileRef,
    InboundKind,
    InboundMessage,
    Place,
    Sender,
)
from sympozium.contract.names import ConversationId, MessageId
from sympozium_router.inbox.letters import Letter, read_letter

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


def letter_with(**fields: Any) -> Letter:
    message = InboundMessage(
        **{
            "message_id": MessageId("m1"),
            "conversation": ConversationId("c"),
            "sender": Sender(platform="slack", user_id="ada"),
            "text": "hello",
            "time": NOW,
            **fields,
        }
    )
    return read_letter("inbox.default.slack", 1, wrap(message, id="m1", time=NOW))


def file(**fields: Any) -> FileRef:
    good = {"id": "f1", "owner": "slack", "name": "a.txt", "size_bytes": 9, "parts": 1}
    return FileRef(**{**good, **fields})


COMMAND = {"kind": InboundKind.COMMAND, "text": ""}


@pytest.mark.parametrize(
    "fields",
    [
        {"files": [file()]},
        {"files": [file()], "text": ""},
        {"files": [file(size_bytes=0, parts=0)]},
        {"kind": InboundKind.EDIT, "target": MessageId("m0")},
        {"kind": InboundKind.DELETE, "target": MessageId("m0"), "text": ""},
        {**COMMAND, "command": Command(name="stop", arguments="web-1")},
        {"quoted": "x" * 40_000, "reply_to": '{"ts": "1.2"}'},
        {"sender": Sender(platform="discord", user_id="1", groups=["2"] * 250)},
    ],
)
def test_everything_that_a_platform_can_bring_is_read(fields: dict[str, Any]) -> None:
    assert letter_with(**fields).problem == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": InboundKind.EDIT},
        {"kind": InboundKind.DELETE, "target": MessageId("a b")},
        {"kind": InboundKind.EDIT, "target": MessageId("m0"), "text": " "},
        COMMAND,
        {**COMMAND, "command": Command(name="")},
        {**COMMAND, "command": Command(name="stop now")},
        {**COMMAND, "command": Command(name="stop", arguments="x" * 2001)},
        {"files": [file()] * 11},
        {"files": [file(owner="other")]},
        {"files": [file(owner="")]},
        {"files": [file(id="a.b")]},
        {"files": [file(size_bytes=-1)]},
        {"files": [file(size_bytes=10**12)]},
        {"files": [file(parts=10**9, size_bytes=10**7)]},
        {"files": [file(parts=2, size_bytes=1)]},
        {"files": [file(name="x" * 256)]},
        {"quoted": "ü" * 40_000},
        {"reply_to": "x" * 8001},
        {"place": Place(chat="x" * 201)},
        {"sender": Sender(platform="slack", user_id="x" * 201)},
        {"sender": Sender(platform="slack", user_id="a", groups=["g"] * 501)},
    ],
)
def test_what_a_channel_cannot_mean_is_a_problem(fields: dict[str, Any]) -> None:
    letter = letter_with(**fields)
    assert letter.problem
    assert letter.inbound is not None


def test_of_the_files_of_a_run_only_its_own_are_sent_and_not_too_many() -> None:
    files = [file(), file(owner="uid"), file(owner="uid", id="../x"), file(owner="uid", id="g")]
    assert [ref.id for ref in good_files(files, owner="uid")] == ["f1", "g"]
    assert len(good_files([file()] * 20, owner="slack")) == 10


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
