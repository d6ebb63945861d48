"""What is decided about a run whose pod is taken away."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from sympozium.contract.agentrun import AgentRunStatus, Phase, RunError
from sympozium.contract.reasons import Reason
from sympozium_controller.runs.decide import (
    CreateJob,
    DeleteJob,
    LookAgain,
    LookAtBus,
    LookAtEvents,
    Seen,
    WriteStatus,
    next_actions,
)
from sympozium_controller.runs.endings import Silence
from sympozium_controller.runs.trouble import (
    LOST_GRACE,
    START_GRACE,
    START_LOOK_AFTER,
    Trouble,
)
from sympozium_controller.runs.view import PodView
from tests.controller.worlds import START, a_job, a_plan, a_pod, a_run

SECOND = timedelta(seconds=1)
SOON = START + 5 * SECOND
TAKEN = a_pod(uid="first", is_disrupted=True, deleted=START + 10 * SECOND)
"""Evicted, and still within the grace that it was given."""


def seen_with(*leaving: PodView, has_acted: bool | None = None) -> Seen:
    seen = Seen(a_run(), a_plan(), job=a_job(), pod=TAKEN, leaving=leaving)
    asked = Silence.NOT_ASKED if has_acted is None else Silence.NOTHING
    return replace(seen, has_acted=has_acted, ending=asked)


def ended_with(seen: Seen, now: datetime) -> str:
    (action,) = next_actions(seen, now=now)
    assert isinstance(action, WriteStatus), action
    assert action.status.error is not None
    return action.status.error.reason


def test_what_a_pod_did_is_asked_as_soon_as_it_is_taken_away() -> None:
    assert next_actions(seen_with(TAKEN), now=SOON) == [LookAtBus()]


def test_a_run_that_had_no_effect_goes_on_in_the_pod_that_its_job_makes() -> None:
    (waits,) = next_actions(seen_with(TAKEN, has_acted=False), now=SOON)
    assert isinstance(waits, LookAgain)
    gone = replace(TAKEN, phase="Failed")
    (waits,) = next_actions(seen_with(gone, has_acted=False), now=SOON)
    assert isinstance(waits, LookAgain)


def test_a_run_that_called_a_tool_ends_with_the_pod_in_which_it_did() -> None:
    (waits,) = next_actions(seen_with(TAKEN, has_acted=True), now=SOON)
    assert isinstance(waits, LookAgain), "its bridge may still hand over an answer"
    gone = replace(TAKEN, phase="Failed")
    assert ended_with(seen_with(gone, has_acted=True), SOON) == Reason.EVICTED


@pytest.mark.parametrize("is_disrupted", [True, False])
def test_a_pod_that_does_not_go_is_on_a_lost_node(is_disrupted: bool) -> None:
    stuck = replace(TAKEN, is_disrupted=is_disrupted)
    assert stuck.deleted is not None
    now = stuck.deleted + LOST_GRACE
    assert ended_with(seen_with(stuck, has_acted=True), now) == Reason.EVICTED
    begins_anew = seen_with(stuck, has_acted=False)
    assert next_actions(begins_anew, now=now) == [DeleteJob("job-uid")]
    assert begins_anew.job is not None
    going = replace(begins_anew, job=replace(begins_anew.job, is_deleting=True))
    (waits,) = next_actions(going, now=now)
    assert isinstance(waits, LookAgain)


def test_a_run_that_was_without_a_job_for_a_while_is_asked_after_before_it_gets_one() -> None:
    seen = Seen(a_run(), a_plan())
    assert next_actions(seen, now=START + SECOND) == [CreateJob(a_plan())]
    assert next_actions(seen, now=START + 60 * SECOND) == [LookAtBus()]
    asked = replace(seen, ending=Silence.NOTHING)
    assert next_actions(asked, now=START + 60 * SECOND) == [CreateJob(a_plan())]


@pytest.mark.parametrize(
    "reason", [Reason.EVICTED, Reason.NOT_STARTED, Reason.CONFIGURATION, Reason.DENIED_BY_POLICY]
)
def test_a_run_that_was_said_to_have_failed_does_not_begin_afterwards(reason: Reason) -> None:
    status = AgentRunStatus(
        phase=Phase.FAILED, error=RunError(reason=reason), finished_at="2026-01-02T03:04:05Z"
    )
    seen = Seen(replace(a_run(), status=status), None, job=a_job(), pod=a_pod())
    assert next_actions(seen, now=START + SECOND) == [DeleteJob("job-uid")]


def test_the_second_pod_of_a_run_that_answered_goes_at_once() -> None:
    status = AgentRunStatus(phase=Phase.SUCCEEDED, finished_at="2026-01-02T03:04:05Z")
    seen = replace(seen_with(TAKEN), run=replace(a_run(), status=status))
    assert next_actions(seen, now=START + SECOND) == [DeleteJob("job-uid")]


def test_a_pod_that_gets_no_network_is_asked_about_and_given_time() -> None:
    pod = a_pod(scheduled=START, has_sandbox=False)
    seen = Seen(a_run(), a_plan(), job=a_job(), pod=pod)
    assert next_actions(seen, now=START) == [LookAgain(START_LOOK_AFTER.total_seconds())]
    assert next_actions(seen, now=START + START_LOOK_AFTER) == [LookAtEvents()]
    said = Trouble(Reason.NOT_STARTED, "no network", START + START_GRACE)
    told = replace(seen, refusal=said, ending=Silence.NOTHING)
    (waits,) = next_actions(told, now=START + START_LOOK_AFTER)
    assert isinstance(waits, LookAgain)
    assert ended_with(told, START + START_GRACE) == Reason.NOT_STARTED


def test_a_pod_that_never_began_is_not_said_to_have_worked_too_long() -> None:
    pod = a_pod(scheduled=START, has_sandbox=False)
    seen = Seen(a_run(), a_plan(), job=a_job(), pod=pod, ending=Silence.NOTHING)
    late = START + timedelta(minutes=11)
    assert ended_with(replace(seen, refusal=Silence.NOTHING), late) == Reason.NOT_STARTED


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("OutOfcpu", Reason.NO_CAPACITY),
        ("OutOfmemory", Reason.NO_CAPACITY),
        ("NodeShutdown", Reason.EVICTED),
        ("Preempting", Reason.EVICTED),
        ("UnexpectedAdmissionError", Reason.NOT_STARTED),
        ("", Reason.AGENT_CRASHED),
    ],
)
def test_a_pod_that_its_kubelet_refused_says_why(said: str, reason: Reason) -> None:
    pod = a_pod(phase="Failed", reason=said)
    seen = Seen(a_run(), a_plan(), job=a_job(), pod=pod, ending=Silence.NOTHING)
    assert ended_with(seen, SOON) == reason


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('Usage of EmptyDir volume "ipc" exceeds the limit "512Mi". ', Reason.VOLUME_FULL),
        ('Container agent exceeded its local ephemeral storage limit "1Gi". ', Reason.VOLUME_FULL),
        (
            "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
            Reason.VOLUME_FULL,
        ),
        ("The node was low on resource: ephemeral-storage. ", Reason.EVICTED),
        ("", Reason.EVICTED),
    ],
)
def test_a_pod_that_is_evicted_for_what_it_wrote_itself_says_so(said: str, reason: Reason) -> None:
    pod = a_pod(phase="Failed", reason="Evicted", message=said)
    seen = Seen(a_run(), a_plan(), job=a_job(), pod=pod, ending=Silence.NOTHING)
    assert ended_with(seen, SOON) == reason
    failed = replace(seen, job=a_job(failure="BackoffLimitExceeded"))
    assert ended_with(failed, SOON) == reason
