"""What the Job controller decides, on values alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.times import kube_time
from sympozium_local.controllers.job_counts import (
    Counts,
    format_indexes,
    parse_indexes,
    recall,
)
from sympozium_local.controllers.job_plan import Plan, plan_job

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Object = dict[str, Any]


def job(status: Object | None = None, age_s: float = 0, **spec: Any) -> Object:
    return {
        "metadata": {
            "name": "j",
            "namespace": "default",
            "uid": "u",
            "creationTimestamp": kube_time(NOW - timedelta(seconds=age_s)),
        },
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": 0,
            "template": {"spec": {"restartPolicy": "Never"}},
            **spec,
        },
        "status": status or {},
    }


def pod(name: str, phase: str = "Running", **more: Any) -> Object:
    """Return a pod; *more*: exit_code, deleted, index, condition, ended_s (ago)."""
    metadata: Object = {"name": name, "namespace": "default", "uid": name, "annotations": {}}
    if more.get("deleted"):
        metadata["deletionTimestamp"] = kube_time(NOW)
    if "index" in more:
        metadata["annotations"]["batch.kubernetes.io/job-completion-index"] = str(more["index"])
    status: Object = {"phase": phase}
    if "exit_code" in more:
        ended = kube_time(NOW - timedelta(seconds=more.get("ended_s", 0)))
        terminated = {"exitCode": more["exit_code"], "finishedAt": ended}
        status["containerStatuses"] = [{"name": "main", "state": {"terminated": terminated}}]
    if "condition" in more:
        status["conditions"] = [{"type": more["condition"], "status": "True"}]
    return {"metadata": metadata, "spec": {}, "status": status}


def conditions(plan: Plan) -> dict[str, str]:
    return {
        entry["type"]: entry["reason"]
        for entry in plan.status.get("conditions", [])
        if entry["status"] == "True"
    }


def test_a_new_job_gets_its_pod() -> None:
    plan = plan_job(job(), [], Counts(), NOW)
    assert plan.creates == [None]
    assert plan.status["startTime"] == kube_time(NOW)


def test_a_job_with_its_pod_running_is_left_alone() -> None:
    plan = plan_job(job(), [pod("a")], Counts(), NOW)
    assert (plan.creates, plan.deletes, plan.status["active"]) == ([], [], 1)


def test_a_succeeded_pod_completes_the_job() -> None:
    plan = plan_job(job(), [pod("a", "Succeeded")], Counts(), NOW)
    assert conditions(plan) == {
        "SuccessCriteriaMet": "CompletionsReached",
        "Complete": "CompletionsReached",
    }
    assert plan.status["succeeded"] == 1
    assert plan.status["completionTime"] == kube_time(NOW)


def test_a_failure_beyond_the_limit_fails_the_job() -> None:
    plan = plan_job(job(), [pod("a", "Failed", exit_code=1)], Counts(), NOW)
    assert conditions(plan) == {
        "FailureTarget": "BackoffLimitExceeded",
        "Failed": "BackoffLimitExceeded",
    }
    assert plan.creates == []


def test_a_failure_within_the_limit_is_replaced_after_a_pause() -> None:
    failed = pod("a", "Failed", exit_code=1, ended_s=4)
    counts = Counts()
    plan = plan_job(job(backoffLimit=2), [failed], counts, NOW)
    assert (plan.creates, plan.again_after_s) == ([], 6.0)
    plan = plan_job(job(backoffLimit=2), [failed], counts, NOW + timedelta(seconds=6))
    assert plan.creates == [None]


DISRUPTION: Object = {
    "rules": [
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
    ]
}


def test_a_disrupted_pod_is_replaced_at_once_and_not_counted() -> None:
    lost = pod("a", "Failed", condition="DisruptionTarget")
    plan = plan_job(job(podFailurePolicy=DISRUPTION), [lost], Counts(), NOW)
    assert plan.creates == [None]
    assert "failed" not in plan.status


def test_an_exit_code_of_the_failure_policy_fails_the_job_whatever_the_limit() -> None:
    spec: Object = {"podFailurePolicy": DISRUPTION, "backoffLimit": 6}
    plan = plan_job(job(**spec), [pod("a", "Failed", exit_code=42)], Counts(), NOW)
    assert conditions(plan) == {"FailureTarget": "PodFailurePolicy", "Failed": "PodFailurePolicy"}
    assert plan.status["conditions"][-1]["message"] == (
        "Container main for pod default/a failed with exit code 42 matching FailJob rule at index 0"
    )


def test_a_job_past_its_deadline_fails_and_its_pods_go() -> None:
    running = pod("a")
    plan = plan_job(job(age_s=61, activeDeadlineSeconds=60), [running], Counts(), NOW)
    assert conditions(plan) == {"FailureTarget": "DeadlineExceeded", "Failed": "DeadlineExceeded"}
    assert plan.deletes == [running]


def test_a_deadline_ahead_is_looked_at_again_in_time() -> None:
    plan = plan_job(job(age_s=20, activeDeadlineSeconds=60), [pod("a")], Counts(), NOW)
    assert plan.again_after_s == 40


def test_a_pod_being_deleted_counts_as_failed_by_default() -> None:
    plan = plan_job(job(backoffLimit=0), [pod("a", deleted=True)], Counts(), NOW)
    assert conditions(plan) == {
        "FailureTarget": "BackoffLimitExceeded",
        "Failed": "BackoffLimitExceeded",
    }


def test_with_policy_failed_a_pod_being_deleted_holds_its_place() -> None:
    spec: Object = {"podReplacementPolicy": "Failed"}
    plan = plan_job(job(**spec), [pod("a", deleted=True)], Counts(), NOW)
    assert (plan.creates, plan.status["terminating"]) == ([], 1)
    assert "conditions" not in plan.status


def test_a_suspended_job_has_no_pods_and_no_start() -> None:
    running = pod("a")
    plan = plan_job(job(suspend=True), [running], Counts(), NOW)
    assert plan.deletes == [running]
    assert conditions(plan) == {"Suspended": "JobSuspended"}
    assert "startTime" not in plan.status
    again = plan_job(job(plan.status, suspend=False), [], Counts(), NOW + timedelta(hours=1))
    assert again.creates == [None]
    assert again.status["startTime"] == kube_time(NOW + timedelta(hours=1))


def test_a_finished_job_goes_when_its_time_to_live_is_over() -> None:
    done = plan_job(job(ttlSecondsAfterFinished=10), [pod("a", "Succeeded")], Counts(), NOW)
    finished = job(done.status, ttlSecondsAfterFinished=10)
    assert plan_job(finished, [], Counts(), NOW).again_after_s == 10
    assert plan_job(finished, [], Counts(), NOW + timedelta(seconds=10)).delete_job


def test_an_indexed_job_fills_the_indexes_that_are_open() -> None:
    spec: Object = {"completions": 4, "parallelism": 3, "completionMode": "Indexed"}
    pods = [pod("a", "Succeeded", index=0), pod("b", index=2)]
    plan = plan_job(job(**spec), pods, Counts(), NOW)
    assert plan.creates == [1, 3]
    assert plan.status["completedIndexes"] == "0"


def test_a_job_without_completions_ends_with_its_last_pod() -> None:
    spec: Object = {"completions": None, "parallelism": 2}
    plan = plan_job(job(**spec), [pod("a", "Succeeded"), pod("b")], Counts(), NOW)
    assert (plan.creates, conditions(plan)) == ([], {})
    plan = plan_job(job(**spec), [pod("a", "Succeeded"), pod("b", "Succeeded")], Counts(), NOW)
    assert conditions(plan) == {
        "SuccessCriteriaMet": "CompletionsReached",
        "Complete": "CompletionsReached",
    }


@pytest.mark.parametrize("field", ["backoffLimitPerIndex", "successPolicy", "maxFailedIndexes"])
def test_what_is_not_supported_is_refused_by_name(field: str) -> None:
    fields: Object = {field: 1}
    plan = plan_job(job(**fields), [], Counts(), NOW)
    assert conditions(plan) == {"FailureTarget": "NotSupported", "Failed": "NotSupported"}
    assert f"spec.{field}" in plan.status["conditions"][-1]["message"]


def test_after_a_restart_nothing_is_counted_twice() -> None:
    pods = [pod("a", "Failed", exit_code=1), pod("b")]
    known = job({"failed": 1, "active": 1}, backoffLimit=3)
    counts = recall(known, pods)
    plan_job(known, pods, counts, NOW)
    assert counts.failed == 1


def test_a_pod_that_vanished_while_nobody_looked_counts_as_failed() -> None:
    known = job({"active": 1}, backoffLimit=0)
    plan = plan_job(known, [], recall(known, []), NOW)
    assert conditions(plan) == {
        "FailureTarget": "BackoffLimitExceeded",
        "Failed": "BackoffLimitExceeded",
    }


@given(st.sets(st.integers(min_value=0, max_value=40)))
def test_completed_indexes_are_written_as_they_are_read(indexes: set[int]) -> None:
    assert parse_indexes(format_indexes(indexes)) == indexes


PHASES = st.sampled_from(["Pending", "Running", "Succeeded", "Failed"])


@given(
    phases=st.lists(st.tuples(PHASES, st.booleans()), max_size=6),
    completions=st.integers(min_value=1, max_value=5),
    parallelism=st.integers(min_value=0, max_value=5),
    policy=st.sampled_from(["Failed", "TerminatingOrFailed"]),
)
def test_a_plan_carried_out_leaves_nothing_more_to_do(
    phases: list[tuple[str, bool]], completions: int, parallelism: int, policy: str
) -> None:
    """Creating and deleting what is planned reaches a fixed point, within the parallelism."""
    spec: Object = {"completions": completions, "parallelism": parallelism, "backoffLimit": 100}
    wanted = job(podReplacementPolicy=policy, **spec)
    pods = [pod(f"p{n}", phase, deleted=gone) for n, (phase, gone) in enumerate(phases)]
    later = NOW + timedelta(hours=1)
    counts = Counts()
    plan = plan_job(wanted, pods, counts, later)
    gone = {one["metadata"]["uid"] for one in plan.deletes}
    pods = [one for one in pods if one["metadata"]["uid"] not in gone]
    pods += [pod(f"n{n}", "Pending") for n, _ in enumerate(plan.creates)]
    again = plan_job(job(plan.status, podReplacementPolicy=policy, **spec), pods, counts, later)
    assert (again.creates, again.deletes) == ([], [])
    active = [one for one in pods if one["status"]["phase"] in {"Pending", "Running"}]
    active = [one for one in active if "deletionTimestamp" not in one["metadata"]]
    assert len(active) <= max(parallelism, 0)
