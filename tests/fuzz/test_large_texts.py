"""Texts of 64 KiB, 1 MiB and 20 MiB at the readers.

What becomes of larger events before they get as far as a reader is in `test_large_events.py`.
"""

import tracemalloc
from collections.abc import Callable

import pytest

from sympozium.chat.intake import fitted
from sympozium.contract.envelope import encode
from sympozium.contract.limits import MAX_RESULT_BYTES, MAX_TEXT_BYTES
from sympozium.contract.messages import InboundMessage
from sympozium.contract.names import MessageId
from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import Failure, Result
from sympozium_agent.journal import Line
from sympozium_agent.recorder import read_event
from sympozium_telegram.inbound import message_of
from sympozium_telegram.reading import NewMessage
from sympozium_web.inbound import read_posted
from sympozium_web.refusals import RequestRefusedError
from tests.fuzz.test_platform_readers import require_good
from tests.slack.given import heard, mention
from tests.telegram import given as telegram

KIB, MIB = 1024, 1024 * 1024
LARGE = [64 * KIB, 1 * MIB, 20 * MIB]


def from_slack(text: str) -> InboundMessage:
    return heard(mention(text)).message


def from_telegram(text: str) -> InboundMessage:
    reading = telegram.reading(telegram.message(text, telegram.PRIVATE))
    assert isinstance(reading, NewMessage)
    said = message_of(MessageId("telegram:7:1"), reading.speech)
    return InboundMessage(
        message_id=said.message_id,
        conversation=said.conversation,
        sender=said.sender,
        text=fitted(reading.text),
        time=said.time,
    )


@pytest.mark.parametrize("size", [64 * KIB, 1 * MIB])
@pytest.mark.parametrize("letter", ["a", "\u00e4", "\N{PILE OF POO}"])
@pytest.mark.parametrize("reader", [from_slack, from_telegram])
def test_a_text_longer_than_is_accepted_is_cut_to_what_is(
    reader: Callable[[str], InboundMessage], letter: str, size: int
) -> None:
    message = reader(letter * (size // len(letter.encode())))
    assert 0 < len(message.text.encode()) <= MAX_TEXT_BYTES
    require_good(message, "chat")


@pytest.mark.parametrize(("size", "is_taken"), [(64 * KIB, True), (64 * KIB + 1, False)])
def test_the_web_takes_up_to_64_kib_and_says_so(size: int, is_taken: bool) -> None:
    body = encode({"text": "a" * size})
    if is_taken:
        assert len(read_posted(body).text) == size
    else:
        with pytest.raises(RequestRefusedError, match="text_too_long"):
            read_posted(body)


@pytest.mark.parametrize("size", LARGE)
def test_an_answer_in_a_journal_is_taken_or_told_to_be_too_large(size: int) -> None:
    data = encode(Result(text="a" * size))
    event = read_event(Line(0, len(data) + 1, data))
    if size <= MAX_RESULT_BYTES:
        assert isinstance(event, Result)
    else:
        assert isinstance(event, Failure)
        assert event.reason == Reason.RESULT_TOO_LARGE


def test_reading_a_large_event_costs_a_small_multiple_of_it() -> None:
    text = "a" * MIB
    tracemalloc.start()
    from_slack(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * len(text)
