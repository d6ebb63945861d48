"""What people see is judged as strictly as what is stored."""

from typing import Any

from tests.fault.ledger import Breach, Entry, Said
from tests.fault.observer import Observer
from tests.fault.sight import wrong_at_platform, wrong_on_page
from tests.fault.test_ledger import FIRST, SECOND, end, stored


def both_answered() -> Observer:
    """Return what is stored of two messages of one conversation, each with its answer."""
    inbox = [stored(FIRST), stored(SECOND, sequence=2)]
    return Observer(inbox, [end(FIRST), end(SECOND)])


def reply(said: Said) -> dict[str, Any]:
    """Return an answer as a page has it."""
    return {"role": "assistant", "in_reply_to": f"id-{said.token}"}


def at_platform(**texts: str) -> list[Breach]:
    """Return what is wrong where places show *texts*."""
    return breaches(list(wrong_at_platform(both_answered(), "a", [FIRST, SECOND], texts)))


def on_page(*entries: dict[str, Any]) -> list[Breach]:
    """Return what is wrong where a page has *entries*."""
    return breaches(list(wrong_on_page(both_answered(), [FIRST, SECOND], list(entries))))


def breaches(found: list[Entry]) -> list[Breach]:
    """Return of what kind *found* is."""
    return [entry.breach for entry in found]


def test_answers_in_the_order_of_their_questions_are_all_right() -> None:
    assert at_platform(a="reply to tokfirst reply to toksecond", b="") == []
    assert on_page(reply(FIRST), reply(SECOND)) == []


def test_an_answer_above_that_to_an_earlier_question_is_out_of_order() -> None:
    assert at_platform(a="reply to toksecond reply to tokfirst") == [Breach.DISORDERED]
    assert on_page(reply(SECOND), reply(FIRST)) == [Breach.DISORDERED]


def test_an_answer_that_is_shown_twice_is_doubled() -> None:
    twice = "reply to tokfirst reply to tokfirst reply to toksecond"
    assert at_platform(a=twice) == [Breach.DOUBLED]
    assert on_page(reply(FIRST), reply(FIRST), reply(SECOND)) == [Breach.DOUBLED]


def test_an_answer_that_nobody_sees_is_silence() -> None:
    assert at_platform(a="reply to toksecond") == [Breach.SILENT]
    assert on_page(reply(SECOND)) == [Breach.SILENT]


def test_an_answer_in_another_place_is_misplaced() -> None:
    shown = at_platform(a="reply to tokfirst reply to toksecond", b="reply to tokfirst")
    assert shown == [Breach.MISPLACED]
