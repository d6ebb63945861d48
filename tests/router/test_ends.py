from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from sympozium.contract.limits import MAX_HISTORY_BYTES, MAX_HISTORY_MESSAGES, MAX_QUEUED
from sympozium.contract.messages import (
    Choice,
    Command,
    EntryState,
    FileRef,
    InboundKind,
    InboundMessage,
    OutboundKind,
    Role,
    Sender,
    VisibleError,
)
from sympozium.contract.names import ConversationId, MessageId, RunName, RunUid
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import Object
from sympozium.contract.run_events import Usage
from sympozium.store.ports import Cut, End, Message
from sympozium_router.desk.transcripts import entries_of, memory_of, that_fit
from sympozium_router.outbox.ends import (
    Outcome,
    end_by_run,
    failed_end,
    outbound_accepted,
    outbound_end,
    outcome_of,
    silence_ends_at,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


FILE = {"id": "f", "name": "a", "sizeBytes": 1, "parts": 1}


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
        (
            {
                "phase": "Failed",
                "error": {
                    "reason": "DeniedByPolicy",
                    "message": 'admission webhook "w" denied the request: not today',
                },
            },
            Outcome(reason="DeniedByPolicy", rule="not today"),
        ),
        ({"phase": "Failed"}, Outcome(reason=Reason.INTERNAL)),
        ({"phase": "Failed", "error": "broken"}, Outcome(reason=Reason.INTERNAL)),
        ({"phase": "Cancelled"}, Outcome(reason=Reason.CANCELLED)),
        ({"phase": "Skipped"}, Outcome(reason=Reason.CANCELLED)),
        (
            {
                "phase": "Succeeded",
                "result": "hi",
                "absorbed": ["m2"],
                "usage": {"inputTokens": 7, "outputTokens": 2},
            },
            Outcome(
                "hi",
                absorbed=(MessageId("m2"),),
                usage=Usage(input_tokens=7, output_tokens=2),
            ),
        ),
        (
            {"phase": "Succeeded", "files": [{**FILE, "owner": "u"}, {**FILE, "owner": "v"}]},
            Outcome(files=(FileRef(id="f", owner="u", name="a", size_bytes=1, parts=1),)),
        ),
        (
            {"phase": "Failed", "files": [{**FILE, "owner": "u"}], "absorbed": ["m2"]},
            Outcome(reason=Reason.INTERNAL, absorbed=(MessageId("m2"),)),
        ),
        (
            {"phase": "Succeeded", "files": [{**FILE, "owner": "another run"}]},
            Outcome(reason=Reason.MODEL_BAD_ANSWER),
        ),
    ],
)
def test_every_terminal_state_has_an_outcome(status: Object, outcome: Outcome) -> None:
    assert outcome_of(run(**status)) == outcome


@pytest.mark.parametrize(
    ("cut", "reason", "kind", "code"),
    [
        (Cut.NOT, Reason.CANCELLED, OutboundKind.ERROR, "Cancelled"),
        (Cut.STOPPED, Reason.CANCELLED, OutboundKind.ERROR, "Cancelled"),
        (Cut.INTERRUPTED, Reason.CANCELLED, OutboundKind.ERROR, "Interrupted"),
        (Cut.INTERRUPTED, Reason.OUT_OF_MEMORY, OutboundKind.ERROR, "OutOfMemory"),
        (Cut.INTERRUPTED, None, OutboundKind.FINAL, ""),
        (Cut.WITHDRAWN, Reason.CANCELLED, OutboundKind.DROPPED, ""),
        (Cut.WITHDRAWN, Reason.OUT_OF_MEMORY, OutboundKind.DROPPED, ""),
        (Cut.WITHDRAWN, None, OutboundKind.DROPPED, ""),
    ],
)
def test_a_run_that_was_cut_short_is_told_by_why_unless_it_was_faster(
    cut: Cut, reason: Reason | None, kind: OutboundKind, code: str
) -> None:
    asked = replace(message(), cut=cut)
    end = End(NOW, "hi") if reason is None else failed_end(asked, reason, now=NOW)
    told = end_by_run(asked, replace(end, usage=Usage(input_tokens=3)), now=NOW)
    assert (told.kind, told.error.code if told.error else "") == (kind, code)
    assert told.usage.input_tokens == 3


def test_an_end_is_told_with_all_that_belongs_to_it() -> None:
    end = End(
        NOW,
        "text",
        files=(FileRef(id="f", owner="u", name="a", size_bytes=1, parts=1),),
        choices=(Choice(label="Stop", command=Command(name="stop")),),
        is_private=True,
        is_notice=True,
    )
    asked = message(end=end)
    inbound = msgspec.structs.replace(asked.inbound, reply_to="1.2")
    _, shown = outbound_end(replace(asked, inbound=inbound))
    assert (shown.kind, shown.reply_to, shown.agent) == (OutboundKind.FINAL, "1.2", "")
    assert (shown.files, shown.choices) == (list(end.files), list(end.choices))
    assert (shown.is_private, shown.is_notice) == (True, True)


def test_a_message_that_was_answered_with_another_is_remembered_without_an_answer() -> None:
    joined = replace(message(2, "b", End(NOW, answered_with=MessageId("m1"))), run_uid=RunUid(""))
    told = memory_of([message(1, "a", End(NOW, "A")), joined])
    assert [entry.text for entry in told] == ["a", "A", "b"]
    assert [entry.state for entry in entries_of(joined)] == [EntryState.DONE]


def test_what_was_withdrawn_is_in_no_transcript_and_no_memory() -> None:
    withdrawn = message(1, "secret", End(NOW, is_dropped=True))
    assert (entries_of(withdrawn), memory_of([withdrawn])) == ([], [])


def test_what_people_asked_the_system_is_shown_to_them_and_kept_from_agents() -> None:
    asked = message(1, "", End(NOW, "Stopped.", is_notice=True))
    command = Command(name="stop", arguments="web-1")
    inbound = msgspec.structs.replace(asked.inbound, kind=InboundKind.COMMAND, command=command)
    row = replace(asked, inbound=inbound, run_uid=RunUid(""))
    assert [entry.text for entry in entries_of(row)] == ["!stop web-1", "Stopped."]
    assert memory_of([row]) == []


def test_silence_ends_within_fifteen_seconds_of_the_deadline() -> None:
    due = silence_ends_at(run(timeout="1m"), None)
    assert timedelta(seconds=60) < due - NOW <= timedelta(seconds=75)


def test_the_time_of_a_run_that_waited_counts_from_the_end_before_it() -> None:
    later = NOW + timedelta(minutes=5)
    waited = silence_ends_at(run(), later) - silence_ends_at(run(), None)
    assert waited == timedelta(minutes=5)
    started = run(phase="Running", startedAt="2026-03-01T12:09:00Z")
    assert silence_ends_at(started, later) - silence_ends_at(run(), None) == timedelta(minutes=9)


def test_a_run_that_says_that_it_waits_may_do_so() -> None:
    waits = silence_ends_at(run(phase="Queued"), None) - silence_ends_at(run(), None)
    assert waits == MAX_QUEUED


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
