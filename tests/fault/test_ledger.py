"""The ledger sees each way to break a promise: a laboratory that is blind proves nothing."""

from datetime import UTC, datetime

from sympozium.contract.messages import (
    InboundMessage,
    OutboundKind,
    OutboundMessage,
    Place,
    Sender,
    VisibleError,
)
from sympozium.contract.names import ConversationId, MessageId
from tests.fault.ledger import Breach, Said, check
from tests.fault.observer import Observer, Stored

FIRST, SECOND = Said("tokfirst", "a"), Said("toksecond", "a")
WITHDRAWN = Said("tokgone", "a", identity="there:1", is_withdrawn=True)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def stored(said: Said, *, sequence: int = 1, id_: str = "") -> Stored:
    """Return what a channel puts into INBOX for *said*."""
    message = InboundMessage(
        message_id=MessageId(id_ or f"id-{said.token}"),
        conversation=ConversationId(said.conversation),
        sender=Sender(platform="web", user_id="owner"),
        text=f"{said.token} please",
        time=NOW,
        place=Place(chat=said.conversation, is_direct=True),
    )
    return Stored(sequence, message)


def end(
    said: Said,
    *,
    kind: OutboundKind = OutboundKind.FINAL,
    text: str = "",
    conversation: str = "",
    answered_with: str = "",
) -> OutboundMessage:
    """Return the end of *said*, as it ought to be where nothing else is asked for."""
    is_error = kind is OutboundKind.ERROR
    return OutboundMessage(
        kind=kind,
        message_id=MessageId(f"id-{said.token}"),
        conversation=ConversationId(conversation or said.conversation),
        text=text or f"reply to {said.token}",
        error=VisibleError(code="Internal", message="sorry") if is_error else None,
        answered_with=MessageId(answered_with),
    )


def breaches(*said: Said, inbox: list[Stored], outbox: list[OutboundMessage]) -> list[Breach]:
    """Return what the ledger finds."""
    return [entry.breach for entry in check(said, Observer(inbox, outbox))]


def test_one_end_in_its_place_is_all_right() -> None:
    assert breaches(FIRST, inbox=[stored(FIRST)], outbox=[end(FIRST)]) == []


def test_an_error_is_an_end() -> None:
    outbox = [end(FIRST, kind=OutboundKind.ERROR)]
    assert breaches(FIRST, inbox=[stored(FIRST)], outbox=outbox) == []


def test_what_is_not_in_inbox_is_lost() -> None:
    assert breaches(FIRST, inbox=[], outbox=[]) == [Breach.LOST]


def test_what_is_stored_under_two_ids_is_doubled() -> None:
    inbox = [stored(FIRST), stored(FIRST, id_="other")]
    assert breaches(FIRST, inbox=inbox, outbox=[end(FIRST)]) == [Breach.DOUBLED]


def test_what_has_no_end_is_met_with_silence() -> None:
    assert breaches(FIRST, inbox=[stored(FIRST)], outbox=[]) == [Breach.SILENT]


def test_two_ends_are_one_too_many() -> None:
    outbox = [end(FIRST), end(FIRST, kind=OutboundKind.ERROR)]
    assert breaches(FIRST, inbox=[stored(FIRST)], outbox=outbox) == [Breach.DOUBLED]


def test_an_answer_to_another_question_is_misplaced() -> None:
    outbox = [end(FIRST, text="reply to toksecond")]
    assert breaches(FIRST, inbox=[stored(FIRST)], outbox=outbox) == [Breach.MISPLACED]


def test_an_answer_in_another_conversation_is_misplaced() -> None:
    outbox = [end(FIRST, conversation="b")]
    assert breaches(FIRST, inbox=[stored(FIRST)], outbox=outbox) == [Breach.MISPLACED]


def test_a_message_joined_to_an_answer_that_does_not_answer_it_is_misplaced() -> None:
    inbox = [stored(FIRST), stored(SECOND, sequence=2)]
    joined = end(SECOND, kind=OutboundKind.JOINED, answered_with="id-tokfirst")
    found = breaches(FIRST, SECOND, inbox=inbox, outbox=[end(FIRST), joined])
    assert found == [Breach.MISPLACED]
    both = end(FIRST, text="reply to tokfirst and toksecond")
    assert breaches(FIRST, SECOND, inbox=inbox, outbox=[both, joined]) == []


def test_ends_in_another_order_than_their_messages_are_out_of_order() -> None:
    inbox = [stored(FIRST), stored(SECOND, sequence=2)]
    outbox = [end(SECOND), end(FIRST)]
    assert breaches(FIRST, SECOND, inbox=inbox, outbox=outbox) == [Breach.DISORDERED]


def test_two_conversations_have_no_order_between_them() -> None:
    other = Said("tokother", "b")
    inbox = [stored(FIRST), stored(other, sequence=2)]
    assert breaches(FIRST, other, inbox=inbox, outbox=[end(other), end(FIRST)]) == []


def test_what_its_platform_was_told_is_received_and_nobody_has_is_lost() -> None:
    said = Said("tokfirst", "a", identity="there:1")
    (entry,) = check([said], Observer([], []), {"there:1"})
    assert entry.breach is Breach.LOST
    assert "its platform was told that it is received" in str(entry)
    (entry,) = check([said], Observer([], []), {"there:2"})
    assert "was told" not in str(entry)


def test_what_was_taken_back_may_end_without_a_word_and_nothing_else_may() -> None:
    dropped = end(WITHDRAWN, kind=OutboundKind.DROPPED)
    assert breaches(WITHDRAWN, inbox=[stored(WITHDRAWN)], outbox=[dropped]) == []
    assert breaches(WITHDRAWN, inbox=[stored(WITHDRAWN)], outbox=[end(WITHDRAWN)]) == []
    assert breaches(WITHDRAWN, inbox=[stored(WITHDRAWN)], outbox=[]) == [Breach.SILENT]
    silent = end(FIRST, kind=OutboundKind.DROPPED)
    assert breaches(FIRST, inbox=[stored(FIRST)], outbox=[silent]) == [Breach.MISPLACED]


def test_what_was_taken_back_before_its_platform_told_of_it_is_not_lost() -> None:
    assert check([WITHDRAWN], Observer([], [])) == []
    (entry,) = check([WITHDRAWN], Observer([], []), {WITHDRAWN.identity})
    assert entry.breach is Breach.LOST


def test_what_was_taken_back_may_end_before_what_was_said_earlier() -> None:
    inbox = [stored(FIRST), stored(WITHDRAWN, sequence=2)]
    outbox = [end(WITHDRAWN, kind=OutboundKind.DROPPED), end(FIRST)]
    assert breaches(FIRST, WITHDRAWN, inbox=inbox, outbox=outbox) == []
