"""What is left out of memory must not be missed by any decision."""

import copy
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from sympozium.contract.agentrun import Phase
from sympozium.contract.resources import RUN_LABEL, Object
from sympozium.contract.times import kube_time
from sympozium_controller.runs.decide import Action, Seen, next_actions
from sympozium_controller.runs.pod import MODEL_ANNOTATION, build_job
from sympozium_controller.runs.slim import slim_job, slim_pod, slim_run
from sympozium_controller.runs.view import read_job, read_pod, read_run
from sympozium_controller.settings import PodSettings
from tests.controller.worlds import START, a_plan, a_run

FACTS = {"uid": "u", "resourceVersion": "7", "creationTimestamp": kube_time(START)}
MANAGED = {"managedFields": [{"manager": "x", "fieldsV1": {"f:spec": {}}}]}


def run_object(phase: Phase, **status: Any) -> Object:
    spec = {"agentRef": "helper", "task": "t" * 1000}
    metadata = {"name": "r", "namespace": "default", **FACTS, **MANAGED}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase.value, **status}}


def job_object(**status: Any) -> Object:
    job = build_job(a_run(), a_plan(), PodSettings("nats://bus"))
    job["metadata"] |= {**FACTS, **MANAGED}
    return {**job, "status": {"active": 1, **status}}


def decided(run: Object, job: Object) -> list[Action]:
    seen = Seen(read_run(run), None, job=read_job(job, model_annotation=MODEL_ANNOTATION))
    return next_actions(seen, now=START + timedelta(seconds=1))


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED])
@pytest.mark.parametrize("reason", ["Cancelled", "ModelTimeout"])
def test_a_finished_run_is_tidied_up_alike(phase: Phase, reason: str) -> None:
    status = {"finishedAt": kube_time(START), "result": "x" * 1000, "error": {"reason": reason}}
    whole = run_object(phase, **status)
    job = job_object()
    expected = decided(whole, job)
    slim = slim_run(whole)
    assert decided(slim, slim_job(job)) == expected
    assert len(msgspec.json.encode(slim)) < 300


def test_an_active_run_is_held_whole_but_for_the_owners_of_its_fields() -> None:
    run = run_object(Phase.PENDING)
    held = slim_run(run_object(Phase.PENDING))
    del run["metadata"]["managedFields"]
    assert held == run


def test_a_job_reads_alike_without_its_template() -> None:
    failed = [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]
    job = job_object(conditions=failed)
    expected = read_job(job, model_annotation=MODEL_ANNOTATION)
    slim = slim_job(job)
    assert read_job(slim, model_annotation=MODEL_ANNOTATION) == expected
    assert "template" not in slim["spec"]


def test_a_pod_reads_alike_without_its_spec() -> None:
    status = {"phase": "Failed", "reason": "Evicted", "message": "the node was low on memory"}
    pod = {"metadata": {"name": "p", **FACTS}, "spec": {"containers": []}, "status": status}
    assert read_pod(slim_pod(pod)) == read_pod(pod)


def test_a_pod_that_ended_reads_alike_from_a_part_of_its_status() -> None:
    ended = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": kube_time(START)}
    container = {
        "name": "agent",
        "image": "i" * 200,
        "restartCount": 2,
        "state": {"terminated": ended},
        "lastState": {"terminated": ended},
    }
    status = {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "the node was low on memory",
        "podIPs": [{"ip": "127.0.0.1"}],
        "conditions": [
            {"type": "PodScheduled", "status": "True"},
            {"type": "DisruptionTarget", "status": "True", "message": "m" * 200},
            {"type": "Ready", "status": "False", "message": "m" * 200},
        ],
        "initContainerStatuses": [container | {"name": "ipc-bridge"}],
        "containerStatuses": [container],
    }
    labels = {RUN_LABEL: "r", "batch.kubernetes.io/job-name": "r"}
    metadata = {"name": "p", **FACTS, "labels": labels, "annotations": {"a": "b"}}
    pod = {"metadata": metadata, "spec": {"containers": []}, "status": status}
    slim = slim_pod(copy.deepcopy(pod))
    assert read_pod(slim) == read_pod(pod)
    assert slim["metadata"]["labels"] == {RUN_LABEL: "r"}
    assert len(msgspec.json.encode(slim)) < 0.7 * len(msgspec.json.encode(pod))
