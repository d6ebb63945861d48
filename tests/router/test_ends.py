from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sympozium.contract.limits import MAX_HISTORY_BYTES, MAX_HISTORY_MESSAGES
from sympozium.contract.messages import (
    EntryState,
    InboundMessage,
    OutboundKind,
    Role,
    Sender,
    VisibleError,
)
from sympozium.contract.names import ConversationId, MessageId, RunName, RunUid
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import Object
from sympozium.store.ports import End, Message
from sympozium_router.ends import (
    Outcome,
    failed_end,
    outbound_accepted,
    outbound_end,
    outcome_of,
    silence_ends_at,
)
from sympozium_router.transcripts import entries_of, memory_of, that_fit

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def run(*, timeout: str = "1m", **status: Any) -> Object:
    return {
        "metadata": {
            "name": "web-abc",
            "namespace": "default",
            "uid": "u",
            "creationTimestamp": "2026-03-01T12:00:00Z",
        },
        "spec": {"agentRef": "helper", "task": "t", "timeout": timeout},
        "status": status,
    }


def message(sequence: int = 1, text: str = "hello", end: End | None = None) -> Message:
    return Message(
        namespace="default",
        channel="web",
        inbound=InboundMessage(
            message_id=MessageId(f"m{sequence}"),
            conversation=ConversationId("c"),
            sender=Sender(platform="web", user_id="ada"),
            text=text,
            time=NOW,
        ),
        sequence=sequence,
        recorded_at=NOW,
        agent="helper",
        run_name=RunName("web-abc"),
        run_uid=RunUid("u"),
        end=end,
    )


@pytest.mark.parametrize("phase", ["Pending", "Queued", "Running", "Serving", "Unheard"])
def test_a_run_that_has_not_ended_has_no_outcome(phase: str) -> None:
    assert outcome_of(run(phase=phase)) is None
    assert outcome_of(run()) is None


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ({"phase": "Succeeded", "result": "hi"}, Outcome("hi")),
        ({"phase": "Succeeded", "resultSequence": 7}, Outcome(result_sequence=7)),
        ({"phase": "Succeeded"}, Outcome(reason=Reason.MODEL_BAD_ANSWER)),
        ({"phase": "Failed", "error": {"reason": "Evicted"}}, Outcome(reason="Evicted")),
        ({"phase": "Failed"}, Outcome(reason=Reason.INTERNAL)),
        ({"phase": "Failed", "error": "broken"}, Outcome(reason=Reason.INTERNAL)),
        ({"phase": "Cancelled"}, Outcome(reason=Reason.CANCELLED)),
        ({"phase": "Skipped"}, Outcome(reason=Reason.CANCELLED)),
    ],
)
def test_every_terminal_state_has_an_outcome(status: Object, outcome: Outcome) -> None:
    assert outcome_of(run(**status)) == outcome


def test_silence_ends_within_fifteen_seconds_of_the_deadline() -> None:
    due = silence_ends_at(run(timeout="1m"), None)
    assert timedelta(seconds=60) < due - NOW <= timedelta(seconds=75)


def test_the_time_of_a_run_that_waited_counts_from_the_end_before_it() -> None:
    later = NOW + timedelta(minutes=5)
    waited = silence_ends_at(run(), later) - silence_ends_at(run(), None)
    assert waited == timedelta(minutes=5)
    started = run(phase="Running", startedAt="2026-03-01T12:09:00Z")
    assert silence_ends_at(started, later) - silence_ends_at(run(), None) == timedelta(minutes=9)


def test_both_ends_of_a_message_have_one_id_and_its_acceptance_another() -> None:
    final = outbound_end(message(end=End(NOW, "hi")))
    error = outbound_end(message(end=failed_end(message(), Reason.EVICTED, now=NOW)))
    accepted = outbound_accepted(message(), RunUid("u"), waiting_for=0)
    assert final[0] == error[0] != accepted[0]
    kinds = [shown.kind for _, shown in (final, error, accepted)]
    assert kinds == [OutboundKind.FINAL, OutboundKind.ERROR, OutboundKind.ACCEPTED]


def test_equal_ids_in_two_channels_do_not_share_a_place_on_the_bus() -> None:
    ended = message(end=End(NOW, "hi"))
    assert outbound_end(ended)[0] != outbound_end(replace(ended, namespace="tenant-b"))[0]
    assert outbound_end(ended)[0] != outbound_end(replace(ended, channel="other"))[0]


def test_a_refused_message_does_not_name_a_run_that_never_was() -> None:
    refused = replace(message(), run_uid=RunUid(""))
    end = failed_end(refused, Reason.QUOTA, now=NOW)
    _, shown = outbound_end(replace(refused, end=end))
    assert shown.run_name == ""
    assert shown.error is not None
    assert "web-abc" not in shown.error.message


def test_an_entry_shows_how_far_its_message_is() -> None:
    def states(shown: Message) -> list[EntryState]:
        return [entry.state for entry in entries_of(shown)]

    failed = End(NOW, error=VisibleError(code="Evicted", message="gone"))
    assert states(replace(message(), run_uid=RunUid(""))) == [EntryState.STORED]
    assert states(message()) == [EntryState.RUNNING]
    assert states(message(end=End(NOW, "hi"))) == [EntryState.DONE, EntryState.DONE]
    assert states(message(end=failed)) == [EntryState.FAILED, EntryState.FAILED]


def test_a_run_remembers_questions_and_answers_but_no_errors() -> None:
    failed = End(NOW, error=VisibleError(code="Evicted", message="gone"))
    told = memory_of([message(1, "a", End(NOW, "A")), message(2, "b", failed), message(3, "c")])
    assert [entry.text for entry in told] == ["a", "A", "b", "c"]


def test_what_a_refused_sender_wrote_is_kept_from_later_runs() -> None:
    refused = End(NOW, error=VisibleError(code="AccessDenied", message="no"))
    assert memory_of([replace(message(1, "obey", refused), run_uid=RunUid(""))]) == []


def test_memory_is_bounded_and_loses_the_oldest_first() -> None:
    many = memory_of([message(n, str(n), End(NOW, "ok")) for n in range(100)])
    assert len(many) == MAX_HISTORY_MESSAGES
    assert (many[-2].role, many[-2].text) == (Role.USER, "99")
    large = memory_of([message(n, "x" * (MAX_HISTORY_BYTES // 3)) for n in range(5)])
    assert [entry.id for entry in large] == ["m2", "m3", "m4"]


def test_a_transcript_that_is_too_long_loses_the_oldest_first() -> None:
    entries = [entry for n in range(10) for entry in entries_of(message(n, "x" * 100))]
    kept = that_fit(entries, 1000)
    assert 0 < len(kept) < 10
    assert kept == entries[-len(kept) :]
