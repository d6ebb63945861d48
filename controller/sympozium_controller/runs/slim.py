"""The parts of AgentRuns, Jobs and pods that are held in memory.

Finished runs stay for days and finished Jobs for ten minutes; whole, ten
thousand of them take more memory than the controller has. Only an active run is
held whole, because its status is written with it.
"""

from sympozium.contract.resources import CONVERSATION_LABEL, RUN_LABEL, Object
from sympozium.kube.informer import without_managed_fields
from sympozium_controller.runs.pod import MODEL_ANNOTATION
from sympozium_controller.runs.view import TIMEOUT_ANNOTATION, is_finished_run

_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "annotations",
    "ownerReferences",
)

_STATUS = ("blockedConnections",)
_SPEC = ("agentRef", "cleanup", "ttlSecondsAfterFinished")
_ASKED = ("channel", "messageId")

_LABELS = (CONVERSATION_LABEL, RUN_LABEL)
_ANNOTATIONS = (MODEL_ANNOTATION, TIMEOUT_ANNOTATION)
_CONDITIONS = ("PodScheduled", "DisruptionTarget")
_CONDITION = ("type", "status", "reason", "lastTransitionTime")
_CONTAINERS = ("initContainerStatuses", "containerStatuses")
_CONTAINER = ("name", "state", "restartCount")


def slim_run(run: Object) -> Object:
    """Return a finished run without its task and its result; an active one whole.

    Of the message that it answers, `asked` has what tells whether somebody waits for it.
    """
    if not is_finished_run(run):
        return without_managed_fields(run)
    spec, status = run["spec"], run["status"]
    error = {"reason": (status.get("error") or {}).get("reason", "")}
    source = spec.get("source")
    return {
        "metadata": _ended(run),
        **({"asked": {name: source[name] for name in _ASKED}} if source else {}),
        "spec": {
            "task": spec["task"][:1],
            **{name: spec[name] for name in _SPEC if name in spec},
        },
        "status": {
            "phase": status["phase"],
            "finishedAt": status.get("finishedAt", ""),
            **({"error": error} if "error" in status else {}),
            **{name: status[name] for name in _STATUS if name in status},
        },
    }


def slim_job(job: Object) -> Object:
    """Return a Job without its pod template."""
    deadline = job["spec"].get("activeDeadlineSeconds")
    conditions = (job.get("status") or {}).get("conditions")
    return {
        "metadata": _ended(job) if conditions else _metadata(job),
        "spec": {} if deadline is None else {"activeDeadlineSeconds": deadline},
        "status": {"conditions": conditions},
    }


def slim_pod(pod: Object) -> Object:
    """Return a pod without its spec; of one that has ended, only what tells how it did."""
    status = pod.get("status") or {}
    if status.get("phase") not in {"Succeeded", "Failed"}:
        return {"metadata": _metadata(pod), "status": status}
    told: Object = {name: status[name] for name in ("phase", "reason", "message") if name in status}
    told["conditions"] = [
        {name: one[name] for name in _CONDITION if name in one}
        for one in status.get("conditions") or []
        if one["type"] in _CONDITIONS
    ]
    for kind in _CONTAINERS:
        told[kind] = [
            {name: one[name] for name in _CONTAINER if name in one}
            for one in status.get(kind) or []
        ]
    return {"metadata": _ended(pod), "status": told}


def _ended(obj: Object) -> Object:
    """Return the metadata of what has ended, without the labels that others look for."""
    metadata = _metadata(obj)
    for name, wanted in (("labels", _LABELS), ("annotations", _ANNOTATIONS)):
        held = {
            key: value for key, value in (metadata.pop(name, None) or {}).items() if key in wanted
        }
        if held:
            metadata[name] = held
    return metadata


def _metadata(obj: Object) -> Object:
    return {name: obj["metadata"][name] for name in _METADATA if name in obj["metadata"]}
