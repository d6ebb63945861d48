"""What is decided about a run, in every situation and in the ones that have a story."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.agentrun import AgentRunStatus, Phase
from sympozium.contract.limits import MAX_QUEUED, MAX_STATUS_RESULT_BYTES
from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import Failure, Result, Usage
from sympozium_controller.runs.decide import (
    DEADLINE_SLACK,
    CreateJob,
    DeleteJob,
    LookAgain,
    LookAtBus,
    LookAtEvents,
    Seen,
    WriteStatus,
    next_actions,
)
from sympozium_controller.runs.endings import Ending, Silence
from sympozium_controller.runs.trouble import Trouble
from sympozium_controller.runs.view import ContainerView, PodView
from tests.controller.worlds import (
    START,
    World,
    a_job,
    a_plan,
    a_pod,
    a_run,
    an_ending,
    endings,
    situations,
)

SECOND = timedelta(seconds=1)


def written(seen: Seen, after: timedelta = SECOND) -> AgentRunStatus:
    (action,) = next_actions(seen, now=START + after)
    assert isinstance(action, WriteStatus)
    return action.status


def verdict(pod: PodView, after: timedelta = timedelta(seconds=30)) -> tuple[str, str]:
    seen = Seen(a_run(), a_plan(), job=a_job(), pod=pod, ending=Silence.NOTHING)
    error = written(seen, after).error
    assert error is not None
    return error.reason, error.message


@given(seen=situations, on_bus=endings, age_s=st.integers(0, 1200))
def test_decisions_come_to_rest_and_end_a_run_at_most_once(
    seen: Seen, on_bus: Ending, age_s: int
) -> None:
    was_finished = seen.run.is_finished
    world = World(seen, on_bus, now=START + age_s * SECOND)
    world.obey()
    assert world.terminal_writes <= (0 if was_finished else 1)
    assert world.jobs_created <= 1
    before = world.seen
    world.obey()
    assert world.seen == before


@given(seen=situations, on_bus=endings)
def test_every_run_without_predecessor_ends_by_its_deadline(seen: Seen, on_bus: Ending) -> None:
    seen = replace(seen, has_predecessor=False, has_turn=True)
    was_finished = seen.run.is_finished
    world = World(seen, on_bus)
    looks = 0
    while (after_s := world.obey()) is not None and not world.seen.run.is_finished:
        looks += 1
        assert looks < 100
        world.now += timedelta(seconds=after_s + 0.001)
    assert world.seen.run.is_finished
    assert world.terminal_writes == (0 if was_finished else 1)
    room_since = (seen.pod.scheduled if seen.pod is not None else None) or START
    assert world.now <= room_since + timedelta(minutes=10, seconds=45)


@given(seen=situations)
def test_a_run_succeeds_only_with_its_result(seen: Seen) -> None:
    world = World(seen, Silence.NOTHING)
    was_finished = seen.run.is_finished
    world.obey()
    assert was_finished or world.seen.run.status.phase is not Phase.SUCCEEDED


def test_a_run_waits_for_the_earlier_one_without_a_write() -> None:
    seen = Seen(a_run(), a_plan(), has_predecessor=True)
    assert next_actions(seen, now=START + timedelta(hours=9)) == []
    assert next_actions(replace(seen, has_predecessor=False), now=START) == [CreateJob(a_plan())]


def test_a_run_waits_an_hour_for_its_turn_and_then_ends_for_want_of_room() -> None:
    seen = Seen(a_run(), a_plan(), has_turn=False, waits_since=START + 30 * SECOND)
    assert next_actions(seen, now=START + MAX_QUEUED) == []
    error = written(seen, MAX_QUEUED + 30 * SECOND).error
    assert error is not None
    assert error.reason == Reason.NO_CAPACITY
    turn = replace(seen, has_turn=True, ending=Silence.NOTHING)
    assert next_actions(turn, now=START + 2 * MAX_QUEUED) == [CreateJob(a_plan())]


def test_a_queued_run_can_be_cancelled() -> None:
    status = written(Seen(a_run(cancel=True), a_plan(), has_predecessor=True))
    assert status.phase is Phase.CANCELLED
    assert status.conditions[0].reason == "Cancelled"


def test_cancelling_an_active_run_ends_it_and_then_deletes_its_job() -> None:
    seen = Seen(a_run(cancel=True), a_plan(), job=a_job(), pod=a_pod())
    status = written(seen)
    ended = replace(seen, run=replace(seen.run, status=status))
    assert next_actions(ended, now=START + SECOND) == [DeleteJob("job-uid")]


def test_a_run_of_an_agent_that_is_not_there_says_so() -> None:
    status = written(Seen(a_run(), None))
    assert status.error is not None
    assert status.error.reason == Reason.AGENT_NOT_FOUND
    assert "'helper'" in status.error.message


def test_a_result_ends_the_run_with_its_text_usage_and_model() -> None:
    ending = Ending(Result(text="hi", usage=Usage(input_tokens=3, output_tokens=1)), sequence=7)
    status = written(Seen(a_run(), None, job=a_job(), ending=ending, started=START))
    assert (status.phase, status.result, status.result_sequence) == (Phase.SUCCEEDED, "hi", 0)
    assert (status.model, status.job_name) == ("m", "web-abc")
    assert status.usage is not None
    assert (status.usage.input_tokens, status.usage.output_tokens) == (3, 1)
    assert (status.started_at, status.finished_at) == (
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:06Z",
    )
    assert [(one.type, one.status) for one in status.conditions] == [("Complete", "True")]


def test_a_result_too_long_for_a_status_is_referred_to() -> None:
    ending = an_ending("ä" * (MAX_STATUS_RESULT_BYTES // 2 + 1))
    status = written(Seen(a_run(), None, job=a_job(), ending=ending))
    assert (status.phase, status.result, status.result_sequence) == (Phase.SUCCEEDED, "", 7)


def test_a_reason_that_nobody_defined_is_not_passed_on() -> None:
    ending = Ending(Failure(reason="Whatever", detail="x" * 5000), sequence=7)
    status = written(Seen(a_run(), None, job=a_job(), ending=ending))
    assert status.error is not None
    assert (status.error.reason, len(status.error.message)) == ("Internal", 1024)


def test_the_bus_is_asked_before_a_run_fails_because_its_pod_ended() -> None:
    pod = a_pod(ContainerView("agent", terminated="Completed"), phase="Succeeded")
    seen = Seen(a_run(), None, job=a_job(), pod=pod)
    assert next_actions(seen, now=START) == [LookAtBus()]
    assert written(replace(seen, ending=an_ending())).phase is Phase.SUCCEEDED
    assert written(replace(seen, ending=Silence.NOTHING)).phase is Phase.FAILED


def test_an_agent_that_ended_leaves_its_bridge_time_to_hand_over() -> None:
    agent = ContainerView("agent", terminated="Error", exit_code=1, ended=START)
    seen = Seen(a_run(), None, job=a_job(), pod=a_pod(agent, phase="Running"))
    assert next_actions(seen, now=START + SECOND) == [LookAgain(11.0)]
    assert next_actions(seen, now=START + 13 * SECOND) == [LookAtBus()]


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        (ContainerView("agent", waiting="ImagePullBackOff", message="no such image"), "ImagePull"),
        (ContainerView("agent", waiting="InvalidImageName"), "ImagePull"),
        (ContainerView("skill-x", waiting="ErrImagePull", is_sidecar=True), "ImagePull"),
        (ContainerView("ipc-bridge", waiting="CreateContainerConfigError"), "Configuration"),
        (
            ContainerView("ipc-bridge", waiting="CrashLoopBackOff", restarts=5, is_sidecar=True),
            "Internal",
        ),
        (ContainerView("agent", terminated="OOMKilled", exit_code=137, ended=START), "OutOfMemory"),
        (ContainerView("agent", terminated="Error", exit_code=78, ended=START), "Configuration"),
        (ContainerView("agent", terminated="Error", exit_code=1, ended=START), "AgentCrashed"),
    ],
)
def test_what_the_kubelet_says_becomes_a_reason(container: ContainerView, reason: str) -> None:
    assert verdict(PodView("p", created=START, containers=(container,)))[0] == reason


def test_a_container_that_cannot_start_is_named() -> None:
    container = ContainerView("skill-x", waiting="ErrImagePull", message="x:1", is_sidecar=True)
    pod = PodView("p", created=START, containers=(container,))
    assert verdict(pod)[1] == "container skill-x: ErrImagePull: x:1"


@pytest.mark.parametrize(
    ("waiting", "message"),
    [
        ("CreateContainerConfigError", "failed to sync secret cache: timed out waiting"),
        ("CreateContainerError", "context deadline exceeded"),
    ],
)
def test_a_kubelet_that_cannot_make_a_container_may_try_for_a_while(
    waiting: str, message: str
) -> None:
    pod = a_pod(ContainerView("agent", waiting=waiting, message=message))
    seen = Seen(a_run(), None, job=a_job(), pod=pod)
    assert isinstance(next_actions(seen, now=START + 44 * SECOND)[-1], LookAgain)
    assert verdict(pod, 46 * SECOND)[0] == "NotStarted"


def test_an_image_may_be_pulled_again_for_a_while() -> None:
    pod = a_pod(ContainerView("agent", waiting="ErrImagePull"))
    seen = Seen(a_run(), None, job=a_job(), pod=pod)
    assert next_actions(seen, now=START + 5 * SECOND) == [LookAgain(15.0)]


def test_a_disrupted_pod_is_replaced_and_fails_nothing_while_its_job_lives() -> None:
    pod = a_pod(phase="Failed", is_disrupted=True)
    seen = Seen(a_run(), None, job=a_job(), pod=pod)
    assert all(isinstance(one, LookAgain) for one in next_actions(seen, now=START + SECOND))
    failed = replace(seen, job=a_job(failure="BackoffLimitExceeded"), ending=Silence.NOTHING)
    error = written(failed).error
    assert error is not None
    assert error.reason == Reason.EVICTED


def test_a_run_has_all_its_time_from_when_there_was_room_for_its_pod() -> None:
    minute = timedelta(minutes=1)
    pod = a_pod(scheduled=START + 8 * minute)
    seen = Seen(a_run(), a_plan(), job=a_job(), pod=pod, ending=Silence.NOTHING)
    assert not isinstance(next_actions(seen, now=START + 18 * minute)[0], WriteStatus)
    error = written(seen, 18 * minute + DEADLINE_SLACK).error
    assert error is not None
    assert error.reason == Reason.DEADLINE_EXCEEDED
    again = replace(seen, pod=replace(pod, scheduled=START + 60 * minute))
    assert written(again, 20 * minute + DEADLINE_SLACK).error is not None


@pytest.mark.parametrize(
    ("is_unschedulable", "reason"), [(True, "NoCapacity"), (False, "DeadlineExceeded")]
)
def test_a_deadline_says_whether_the_pod_ever_had_room(is_unschedulable: bool, reason: str) -> None:
    pod = a_pod(is_unschedulable=is_unschedulable)
    assert verdict(pod, after=timedelta(minutes=11))[0] == reason


def test_a_job_without_a_pod_is_asked_why() -> None:
    seen = Seen(a_run(), None, job=a_job())
    assert next_actions(seen, now=START + SECOND) == [LookAgain(1.0)]
    assert next_actions(seen, now=START + 3 * SECOND) == [LookAtEvents()]
    quota = Trouble(Reason.QUOTA, "exceeded quota: pods", START)
    status = written(replace(seen, refusal=quota, ending=Silence.NOTHING), 3 * SECOND)
    assert status.error is not None
    assert status.error.reason == Reason.QUOTA


def test_only_a_long_run_is_said_to_be_running() -> None:
    pod = a_pod(ContainerView("agent", started=START), phase="Running")
    seen = Seen(a_run(), None, job=a_job(), pod=pod)
    assert next_actions(seen, now=START + SECOND) == [LookAgain(4.0)]
    action, again = next_actions(seen, now=START + 6 * SECOND)
    assert isinstance(action, WriteStatus)
    assert (action.status.phase, action.status.started_at) == (
        Phase.RUNNING,
        "2026-01-02T03:04:05Z",
    )
    assert isinstance(again, LookAgain)


def test_the_pod_of_a_run_that_answered_ends_by_itself() -> None:
    status = written(Seen(a_run(), None, job=a_job(), ending=an_ending()))
    seen = Seen(replace(a_run(), status=status), None, job=a_job())
    assert next_actions(seen, now=START + SECOND) == [LookAgain(60.0)]
    assert next_actions(seen, now=START + timedelta(minutes=2)) == [DeleteJob("job-uid")]
    complete = replace(seen, job=a_job(is_complete=True))
    (waits,) = next_actions(complete, now=START + SECOND)
    assert isinstance(waits, LookAgain)


def test_a_job_of_somebody_else_is_not_taken_for_the_runs_own() -> None:
    seen = Seen(a_run(), a_plan(), job=a_job(owner_uid="another"))
    assert next_actions(seen, now=START) == [LookAgain(1.0)]
    error = written(seen, timedelta(minutes=1)).error
    assert error is not None
    assert error.reason == Reason.CONFIGURATION


def test_a_run_that_is_being_deleted_is_left_alone() -> None:
    seen = Seen(replace(a_run(), is_deleting=True), a_plan())
    assert next_actions(seen, now=START) == []
