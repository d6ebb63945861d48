"""Jobs and Deployments as their controllers see to them; the case plays the kubelet."""

from typing import Any

from tests.differential.case import Object, Sitting, case
from tests.differential.cases.builtin import GATE, job

MERGE = {"Content-Type": "application/merge-patch+json"}
TIME = "2026-01-01T00:00:00Z"
SHOWN = (
    "active",
    "ready",
    "succeeded",
    "failed",
    "terminating",
    "uncountedTerminatedPods",
    "completedIndexes",
)


async def _pods(s: Sitting, count: int = 1) -> list[Object]:
    """Return the pods when there are so many that are not ended, oldest first."""
    while True:
        items = (await s.ask("GET", s.path("pods")))[2]["items"]
        alive = [
            one
            for one in items
            if one["status"]["phase"] not in {"Succeeded", "Failed"}
            and "deletionTimestamp" not in one["metadata"]
        ]
        if len(alive) == count:
            return sorted(alive, key=lambda one: str(one["metadata"]["name"]))
        await s.pause()


async def _end(s: Sitting, pod: Object, phase: str, code: int = 0, **status: Any) -> None:
    state = {"terminated": {"exitCode": code, "startedAt": TIME, "finishedAt": TIME}}
    container = {
        "name": "m",
        "image": "a:1",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": state,
    }
    body = {"status": {"phase": phase, "containerStatuses": [container], **status}}
    path = f"{s.path('pods')}/{pod['metadata']['name']}/status"
    code_, _, answer = await s.ask("PATCH", path, body, **MERGE)
    assert code_ == 200, answer


def _has(kind: str, status: str = "True") -> Any:
    def holds(answer: Any) -> bool:
        conditions = (answer.get("status") or {}).get("conditions") or []
        return any(one["type"] == kind and one["status"] == status for one in conditions)

    return holds


async def _status(s: Sitting, name: str, holds: Any) -> None:
    s.normal.counts_versions = False
    path = s.path("jobs", "batch/v1") + f"/{name}"
    while True:
        answer = (await s.ask("GET", path))[2]
        if holds(answer):
            break
        await s.pause()
    s.say("status", answer["status"])


async def _create(s: Sitting, **spec: Any) -> None:
    status, _, answer = await s.ask("POST", s.path("jobs", "batch/v1"), job("a", **spec))
    assert status == 201, answer


@case()
async def pod_of_a_job(s: Sitting) -> None:
    s.normal.counts_versions = False
    await _create(s)
    pod = (await _pods(s))[0]
    s.normal.name(pod["metadata"]["name"], "pod")
    metadata = pod["metadata"]
    s.say("prefix", metadata.get("generateName"))
    s.say(
        "metadata",
        {
            key: metadata.get(key)
            for key in ("labels", "annotations", "finalizers", "ownerReferences")
        },
    )
    spec = pod["spec"]
    s.say("restart", [spec["restartPolicy"], spec.get("hostname")])


@case()
async def completed(s: Sitting) -> None:
    await _create(s)
    await _end(s, (await _pods(s))[0], "Succeeded")
    await _status(s, "a", _has("Complete"))
    items = (await s.ask("GET", s.path("pods")))[2]["items"]
    s.say("finalizers of the pod", [one["metadata"].get("finalizers") for one in items])


@case()
async def failed_without_another_try(s: Sitting) -> None:
    await _create(s, backoffLimit=0)
    await _end(s, (await _pods(s))[0], "Failed", 3)
    await _status(s, "a", _has("Failed"))


@case()
async def suspended_and_resumed(s: Sitting) -> None:
    await _create(s, suspend=True)
    await _status(s, "a", _has("Suspended"))
    await s.ask("PATCH", s.path("jobs", "batch/v1") + "/a", {"spec": {"suspend": False}}, **MERGE)
    await _pods(s)
    await _status(
        s, "a", lambda answer: _has("Suspended", "False")(answer) and answer["status"].get("active")
    )


@case()
async def failure_policy_fails_the_job(s: Sitting) -> None:
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}
    await _create(s, backoffLimit=5, podFailurePolicy={"rules": [rule]})
    pod = (await _pods(s))[0]
    s.normal.name(pod["metadata"]["name"], "pod")
    await _end(s, pod, "Failed", 42)
    await _status(s, "a", _has("Failed"))


@case()
async def failure_policy_ignores_disruptions(s: Sitting) -> None:
    rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    await _create(s, backoffLimit=0, podFailurePolicy={"rules": [rule]})
    first = (await _pods(s))[0]
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    await _end(s, first, "Failed", 137, conditions=[condition])
    second = (await _pods(s))[0]
    s.say("another pod", first["metadata"]["name"] != second["metadata"]["name"])
    await _end(s, second, "Succeeded")
    await _status(s, "a", _has("Complete"))


@case()
async def deadline(s: Sitting) -> None:
    await _create(s)
    await _pods(s)  # it has its pod, however long that took
    path = s.path("jobs", "batch/v1") + "/a"
    await s.ask("PATCH", path, {"spec": {"activeDeadlineSeconds": 1}}, **MERGE)
    await _status(s, "a", _has("Failed"))


@case()
async def two_at_a_time(s: Sitting) -> None:
    await _create(s, completions=2, parallelism=2)
    for pod in await _pods(s, 2):
        await _end(s, pod, "Succeeded")
    await _status(s, "a", _has("Complete"))


@case()
async def gone_after_its_time(s: Sitting) -> None:
    await _create(s, ttlSecondsAfterFinished=0)
    await _end(s, (await _pods(s))[0], "Succeeded")
    await s.gone(s.path("jobs", "batch/v1") + "/a")
    while (await s.ask("GET", s.path("pods")))[2]["items"]:
        await s.pause()
    s.say("pods are gone too", True)


@case()
async def deleted_with_its_pods(s: Sitting) -> None:
    await _create(s)
    await _pods(s)
    s.normal.counts_versions = False
    status, headers, answer = await s.ask(
        "DELETE", s.path("jobs", "batch/v1") + "/a?propagationPolicy=Background"
    )
    s.say("deleted", [status, headers.get("Warning"), answer["kind"]])
    await _pods(s, 0)
    s.say("pods are gone too", True)


@case()
async def deleted_without_a_policy(s: Sitting) -> None:
    await _create(s)
    await _pods(s)
    status, headers, answer = await s.ask("DELETE", s.path("jobs", "batch/v1") + "/a")
    s.say("deleted", [status, headers.get("Warning"), answer["kind"]])
    await s.gone(s.path("jobs", "batch/v1") + "/a")
    s.say("pods", [len(await _pods(s)), (await _pods(s))[0]["metadata"].get("ownerReferences")])


@case()
async def events_of_a_job(s: Sitting) -> None:
    await _create(s)
    pod = (await _pods(s))[0]
    s.normal.name(pod["metadata"]["name"], "pod")
    await _end(s, pod, "Succeeded")
    await _status(s, "a", _has("Complete"))
    while True:
        items = (await s.ask("GET", s.path("events") + "?fieldSelector=involvedObject.kind=Job"))[
            2
        ]["items"]
        if len(items) >= 2:
            break
        await s.pause()
    said = [[one["reason"], one["type"], one["message"]] for one in items]
    s.say("events", sorted(said))


def _deployment(image: str = "example/a:1", **spec: Any) -> Object:
    template = {
        "metadata": {"labels": {"app": "d"}},
        "spec": {"schedulingGates": GATE, "containers": [{"name": "m", "image": image}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"app": "d"}}, "template": template, **spec},
    }


async def _ready(s: Sitting, count: int) -> None:
    for pod in await _pods(s, count):
        conditions = [
            {"type": kind, "status": "True", "lastTransitionTime": TIME}
            for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        ]
        path = f"{s.path('pods')}/{pod['metadata']['name']}/status"
        await s.ask(
            "PATCH", path, {"status": {"phase": "Running", "conditions": conditions}}, **MERGE
        )


async def _rolled_out(s: Sitting, replicas: int, generation: int) -> None:
    path = s.path("deployments", "apps/v1") + "/d"
    while True:
        answer = (await s.ask("GET", path))[2]
        status = answer.get("status") or {}
        is_new = _has_reason(status, "NewReplicaSetAvailable") or replicas == 0
        if (
            is_new
            and status.get("observedGeneration") == generation
            and status.get("availableReplicas", 0) == replicas
            and status.get("replicas", 0) == replicas
        ):
            break
        await s.pause()
    for name in [
        one["metadata"]["name"]
        for one in (await s.ask("GET", s.path("replicasets", "apps/v1")))[2]["items"]
    ]:
        s.normal.name(name, "set")
    s.say("status", answer["status"])
    s.say("annotations", answer["metadata"].get("annotations"))


def _has_reason(status: Object, reason: str) -> bool:
    return any(one.get("reason") == reason for one in status.get("conditions") or ())


@case()
async def deployment_rolled_out(s: Sitting) -> None:
    await s.ask("POST", s.path("deployments", "apps/v1"), _deployment(replicas=2))
    await _ready(s, 2)
    await _rolled_out(s, 2, 1)
    sets = (await s.ask("GET", s.path("replicasets", "apps/v1")))[2]["items"]
    one = sets[0]
    hashes = one["metadata"]["labels"].pop("pod-template-hash")
    s.say("name is of the hash", one["metadata"]["name"] == f"d-{hashes}")
    s.say("labels and annotations", [one["metadata"]["labels"], one["metadata"]["annotations"]])
    s.say("status of the set", one["status"])


@case()
async def deployment_changed(s: Sitting) -> None:
    path = s.path("deployments", "apps/v1")
    await s.ask("POST", path, _deployment(replicas=1, strategy={"type": "Recreate"}))
    await _ready(s, 1)
    await _rolled_out(s, 1, 1)
    image = [
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "example/b:1"}
    ]
    await s.ask("PATCH", f"{path}/d", image, **{"Content-Type": "application/json-patch+json"})
    while True:
        pods = await _pods(s, 1)
        if pods[0]["spec"]["containers"][0]["image"] == "example/b:1":
            break
        await s.pause()
    await _ready(s, 1)
    await _rolled_out(s, 1, 2)
    sets = (await s.ask("GET", s.path("replicasets", "apps/v1")))[2]["items"]
    s.say(
        "sets",
        sorted(
            [
                one["spec"]["replicas"],
                one["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
            ]
            for one in sets
        ),
    )


@case()
async def deployment_scaled(s: Sitting) -> None:
    path = s.path("deployments", "apps/v1")
    await s.ask("POST", path, _deployment(replicas=1))
    await _ready(s, 1)
    await _rolled_out(s, 1, 1)
    s.normal.counts_versions = False
    await s.get(f"{path}/d/scale")
    await s.ask("PATCH", f"{path}/d/scale", {"spec": {"replicas": 0}}, **MERGE)
    await _rolled_out(s, 0, 2)
    await _pods(s, 0)


@case()
async def pod_of_a_deployment_that_is_deleted(s: Sitting) -> None:
    await s.ask("POST", s.path("deployments", "apps/v1"), _deployment(replicas=1))
    pod = (await _pods(s, 1))[0]
    await s.ask("DELETE", f"{s.path('pods')}/{pod['metadata']['name']}")
    while (await _pods(s, 1))[0]["metadata"]["name"] == pod["metadata"]["name"]:
        await s.pause()
    fresh = (await _pods(s, 1))[0]
    s.say("another pod", sorted(fresh["metadata"]["labels"]))
    owner = fresh["metadata"]["ownerReferences"][0]
    s.say(
        "owner",
        {key: owner[key] for key in ("kind", "controller", "blockOwnerDeletion", "apiVersion")},
    )


@case()
async def eviction(s: Sitting) -> None:
    await s.ask("POST", s.path("pods"), {**job("x")["spec"]["template"], "metadata": {"name": "p"}})
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    await s.post(f"{s.path('pods')}/p/eviction", body)
    await s.gone(f"{s.path('pods')}/p")
    await s.post(f"{s.path('pods')}/p/eviction", body)
