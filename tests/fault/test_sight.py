"""What people see is judged as strictly as what is stored."""

from typing import Any

from sympozium.contract.messages import OutboundKind
from sympozium.testing.channels.driver import Seen, Spot, Where
from tests.fault.ledger import Breach, Entry, Said
from tests.fault.observer import Observer
from tests.fault.sight import shown, wrong_at_platform, wrong_on_page
from tests.fault.test_ledger import FIRST, SECOND, WITHDRAWN, end, stored


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
    found = at_platform(a="reply to tokfirst reply to toksecond", b="reply to tokfirst")
    assert found == [Breach.MISPLACED]


def test_an_answer_of_which_a_part_is_missing_doubled_or_elsewhere_is_not_whole() -> None:
    whole = "reply to tokfirst part-0-of-first word part-1-of-first"
    observer = Observer([stored(FIRST)], [end(FIRST, text=whole)])

    def broken(text: str, beside: str = "") -> list[Breach]:
        return breaches(list(wrong_at_platform(observer, "a", [FIRST], {"a": text, "b": beside})))

    assert broken(whole) == []
    assert broken("reply to tokfirst part-1-of-first") == [Breach.SILENT]
    assert broken("part-0-of-first part-1-of-first") == [Breach.SILENT]
    assert broken(f"{whole} part-1-of-first") == [Breach.DOUBLED]
    assert broken("reply to tokfirst part-1-of-first part-0-of-first") == [Breach.DISORDERED]
    assert broken(whole, beside="part-1-of-first") == [Breach.MISPLACED]


def in_room(*posts: Seen) -> list[Breach]:
    """Return what is wrong where a room shows *posts*, with the conversation in a thread of it."""
    places = {"a": Where(Spot.CHANNEL, "room", thread="root")}
    texts = shown(places, lambda where: list(posts) if where.name == "room" else [])
    return breaches(list(wrong_at_platform(both_answered(), "a", [FIRST, SECOND], texts)))


def test_an_answer_in_the_room_and_not_in_its_thread_is_misplaced() -> None:
    first = Seen("1", "reply to tokfirst", in_thread_of="root")
    second = Seen("2", "reply to toksecond", in_thread_of="root")
    beside = Seen("3", "reply to toksecond")
    assert in_room(first, second) == []
    assert in_room(first, beside) == [Breach.SILENT, Breach.MISPLACED]
    assert in_room(first, second, beside) == [Breach.MISPLACED]


def test_an_answer_in_another_thread_of_the_room_is_misplaced() -> None:
    places = {
        "a": Where(Spot.CHANNEL, "room", thread="root"),
        "b": Where(Spot.CHANNEL, "room", thread="other"),
    }
    posts = [
        Seen("1", "reply to tokfirst", in_thread_of="root"),
        Seen("2", "reply to toksecond", in_thread_of="root"),
        Seen("3", "reply to toksecond", in_thread_of="other"),
    ]
    texts = shown(places, lambda _where: posts)
    found = wrong_at_platform(both_answered(), "a", [FIRST, SECOND], texts)
    assert breaches(list(found)) == [Breach.MISPLACED]


def test_what_was_taken_back_in_time_is_not_answered_and_what_was_not_is() -> None:
    inbox = [stored(WITHDRAWN)]
    dropped = Observer(inbox, [end(WITHDRAWN, kind=OutboundKind.DROPPED)])
    answered = Observer(inbox, [end(WITHDRAWN)])
    said, text = [WITHDRAWN], {"a": "reply to tokgone"}
    assert list(wrong_at_platform(dropped, "a", said, {"a": ""})) == []
    assert breaches(list(wrong_at_platform(dropped, "a", said, text))) == [Breach.DOUBLED]
    assert list(wrong_at_platform(answered, "a", said, text)) == []
    assert breaches(list(wrong_at_platform(answered, "a", said, {"a": ""}))) == [Breach.SILENT]
