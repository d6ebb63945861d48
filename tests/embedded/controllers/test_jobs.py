"""The Job controller on a real API server."""

import pytest

from sympozium.contract.resources import EVENTS, JOBS, PODS
from sympozium.kube.client import Kube
from sympozium.kube.errors import NotFoundError
from tests.embedded.controllers.cluster import (
    NAMESPACE,
    Controllers,
    has_condition,
    job,
    pods,
    set_phase,
    some_pods,
    until,
)


async def test_a_job_gets_a_pod_of_its_own_and_completes_with_it(kube: Kube) -> None:
    created = await kube.create(JOBS, job("one"))
    (pod,) = await some_pods(kube, 1)
    assert pod["metadata"]["name"].startswith("one-")
    (owner,) = pod["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (created["metadata"]["uid"], True)
    assert pod["metadata"]["labels"]["job-name"] == "one"
    assert pod["metadata"]["labels"]["app"] == "it"
    await set_phase(kube, pod, "Succeeded")
    done = await has_condition(kube, JOBS, "one", "Complete")
    assert done["status"]["succeeded"] == 1
    assert done["status"]["completionTime"]


async def test_a_short_job_costs_one_status_write(kube: Kube) -> None:
    created = await kube.create(JOBS, job("short"))
    (pod,) = await some_pods(kube, 1)
    await set_phase(kube, pod, "Running")
    await set_phase(kube, pod, "Succeeded")
    await has_condition(kube, JOBS, "short", "Complete")
    writes = 0
    async for event in kube.watch(
        JOBS, NAMESPACE, since=created["metadata"]["resourceVersion"], timeoutSeconds="1"
    ):
        writes += event.type == "MODIFIED"
    assert writes == 1


async def test_a_pod_that_is_deleted_counts_as_a_failure_and_is_replaced(kube: Kube) -> None:
    await kube.create(JOBS, job("twice", backoffLimit=0))
    (pod,) = await some_pods(kube, 1)
    await kube.delete(PODS, NAMESPACE, pod["metadata"]["name"], grace_s=0)
    failed = await has_condition(kube, JOBS, "twice", "Failed")
    assert failed["status"]["conditions"][-1]["reason"] == "BackoffLimitExceeded"


async def test_a_disrupted_pod_is_replaced_whatever_the_limit(kube: Kube) -> None:
    rules = [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
    spec = {"backoffLimit": 0, "podFailurePolicy": {"rules": rules}}
    await kube.create(JOBS, job("disrupted", **spec))
    (first,) = await some_pods(kube, 1)
    target = {"type": "DisruptionTarget", "status": "True"}
    await set_phase(kube, first, "Failed", conditions=[target])
    _, second = await some_pods(kube, 2)
    await set_phase(kube, second, "Succeeded")
    done = await has_condition(kube, JOBS, "disrupted", "Complete")
    assert "failed" not in done["status"]


async def test_a_job_past_its_deadline_fails_and_its_pod_goes(kube: Kube) -> None:
    await kube.create(JOBS, job("late"))
    await some_pods(kube, 1)
    await kube.patch(JOBS, NAMESPACE, "late", {"spec": {"activeDeadlineSeconds": 1}})
    failed = await has_condition(kube, JOBS, "late", "Failed")
    assert failed["status"]["conditions"][-1]["reason"] == "DeadlineExceeded"
    await some_pods(kube, 0)


async def test_a_finished_job_is_deleted_when_its_time_is_over(kube: Kube) -> None:
    await kube.create(JOBS, job("gone", ttlSecondsAfterFinished=0))
    (pod,) = await some_pods(kube, 1)
    await set_phase(kube, pod, "Succeeded")

    async def is_gone() -> bool:
        try:
            await kube.get(JOBS, NAMESPACE, "gone")
        except NotFoundError:
            return True
        return False

    await until(is_gone)


async def test_the_counters_of_a_job_follow_once_a_pod_is_ready(kube: Kube) -> None:
    await kube.create(JOBS, job("counted"))
    (pod,) = await some_pods(kube, 1)
    await set_phase(kube, pod, "Running", conditions=[{"type": "Ready", "status": "True"}])

    async def is_counted() -> bool:
        status = (await kube.get(JOBS, NAMESPACE, "counted")).get("status") or {}
        return (status.get("active"), status.get("ready")) == (1, 1)

    await until(is_counted)


async def test_a_suspended_job_waits_and_then_runs(kube: Kube) -> None:
    await kube.create(JOBS, job("later", suspend=True))
    await has_condition(kube, JOBS, "later", "Suspended")
    assert await pods(kube) == []
    await kube.patch(JOBS, NAMESPACE, "later", {"spec": {"suspend": False}})
    await some_pods(kube, 1)


async def test_indexes_are_told_to_the_pods_and_kept_in_the_status(kube: Kube) -> None:
    spec = {"completions": 3, "parallelism": 3, "completionMode": "Indexed"}
    await kube.create(JOBS, job("indexed", **spec))
    all_pods = await some_pods(kube, 3)
    indexes = {
        variable["value"]
        for pod in all_pods
        for variable in pod["spec"]["containers"][0]["env"]
        if variable["name"] == "JOB_COMPLETION_INDEX"
    }
    assert indexes == {"0", "1", "2"}
    for pod in all_pods:
        await set_phase(kube, pod, "Succeeded")
    done = await has_condition(kube, JOBS, "indexed", "Complete")
    assert done["status"]["completedIndexes"] == "0-2"


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_restart_neither_forgets_nor_repeats(
    controllers: Controllers, kube: Kube, moment: str
) -> None:
    await kube.create(JOBS, job("restarted", backoffLimit=0))
    (pod,) = await some_pods(kube, 1)
    if moment == "before":
        await controllers.stop()
        await set_phase(kube, pod, "Succeeded")
    else:
        await set_phase(kube, pod, "Succeeded")
        await has_condition(kube, JOBS, "restarted", "Complete")
        await controllers.stop()
    controllers.start()
    done = await has_condition(kube, JOBS, "restarted", "Complete")
    assert done["status"]["succeeded"] == 1
    await kube.create(JOBS, job("barrier"))
    await some_pods(kube, 2)


async def test_what_happened_is_told_as_events(kube: Kube) -> None:
    await kube.create(JOBS, job("told", backoffLimit=0))
    (pod,) = await some_pods(kube, 1)
    await set_phase(kube, pod, "Failed")
    await has_condition(kube, JOBS, "told", "Failed")

    async def reasons() -> set[str]:
        events = (await kube.list(EVENTS, NAMESPACE)).items
        return {one["reason"] for one in events if one["involvedObject"]["name"] == "told"}

    await until(reasons, lambda seen: seen == {"SuccessfulCreate", "BackoffLimitExceeded"})
