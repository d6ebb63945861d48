"""What has ended is held in part, and nothing is decided differently for it."""

import copy
from datetime import UTC, datetime, timedelta

import msgspec

from sympozium.contract.resources import Object
from sympozium.contract.times import kube_time
from sympozium_local.controllers import held as of_controllers
from sympozium_local.controllers.job_counts import recall
from sympozium_local.controllers.job_plan import plan_job
from sympozium_local.kubelet import held as of_kubelet

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
CONTAINER = {"name": "agent", "image": "i", "env": [{"name": "A", "value": "x" * 3000}]}


def job(**condition: str) -> Object:
    conditions = [{"status": "True", "lastTransitionTime": kube_time(NOON), **condition}]
    template = {"spec": {"containers": [CONTAINER], "restartPolicy": "Never"}}
    return {
        "metadata": {"name": "j", "namespace": "n", "uid": "j", "managedFields": [{}]},
        "spec": {"ttlSecondsAfterFinished": 600, "backoffLimit": 3, "template": template},
        "status": {"conditions": conditions, "startTime": kube_time(NOON), "terminating": 1},
    }


def pod(phase: str, **metadata: object) -> Object:
    owner = {"kind": "Job", "name": "j", "uid": "j", "controller": True}
    ended = {"exitCode": 1, "finishedAt": kube_time(NOON)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "n", "uid": "p", "ownerReferences": [owner]}
        | metadata,
        "spec": {"nodeName": "here", "containers": [CONTAINER], "initContainers": [CONTAINER]},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": "False", "message": "m" * 300}],
            "containerStatuses": [{"name": "agent", "image": "i", "state": {"terminated": ended}}],
        },
    }


def test_a_job_is_planned_alike_from_what_is_held() -> None:
    for condition in ("Complete", "Failed", "Suspended"):
        for phase in ("Running", "Succeeded", "Failed"):
            whole, its_pod = job(type=condition), pod(phase)
            small = of_controllers.held_job(copy.deepcopy(whole))
            small_pod = of_controllers.held_pod(copy.deepcopy(its_pod))
            later = NOON + timedelta(seconds=601)
            planned = plan_job(small, [small_pod], recall(small, [small_pod]), later)
            expected = plan_job(whole, [its_pod], recall(whole, [its_pod]), later)
            assert (planned.status, planned.creates, planned.notes, planned.delete_job) == (
                expected.status,
                expected.creates,
                expected.notes,
                expected.delete_job,
            )
            assert len(planned.deletes) == len(expected.deletes)


def test_a_finished_job_is_held_without_its_template_and_an_active_one_whole() -> None:
    assert len(msgspec.json.encode(of_controllers.held_job(job(type="Complete")))) < 400
    assert "template" in of_controllers.held_job(job(type="Suspended"))["spec"]


def test_a_pod_that_ended_is_held_as_far_as_its_logs_and_its_deletion_need_it() -> None:
    held = of_kubelet.held_pod(pod("Failed", deletionTimestamp=kube_time(NOON)))
    assert of_kubelet.has_ended(held)
    assert held["spec"]["containers"] == [{"name": "agent"}]
    assert held["metadata"]["deletionTimestamp"] == kube_time(NOON)
    assert len(msgspec.json.encode(held)) < 300
    running = pod("Running")
    assert of_kubelet.held_pod(copy.deepcopy(running)) == running
