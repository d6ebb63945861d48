"""The parts of AgentRuns, Jobs and pods that are held in memory.

Finished runs stay for days and finished Jobs for ten minutes; whole, ten
thousand of them take more memory than the controller has. Only an active run is
held whole, because its status is written with it.
"""

from sympozium.contract.resources import Object
from sympozium.kube.informer import without_managed_fields
from sympozium_controller.runs.view import is_finished_run

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

_SPEC = ("agentRef", "cleanup", "ttlSecondsAfterFinished")
_ASKED = ("channel", "messageId")


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
        "metadata": _metadata(run),
        **({"asked": {name: source[name] for name in _ASKED}} if source else {}),
        "spec": {
            "task": spec["task"][:1],
            **{name: spec[name] for name in _SPEC if name in spec},
        },
        "status": {
            "phase": status["phase"],
            "finishedAt": status.get("finishedAt", ""),
            **({"error": error} if "error" in status else {}),
        },
    }


def slim_job(job: Object) -> Object:
    """Return a Job without its pod template."""
    deadline = job["spec"].get("activeDeadlineSeconds")
    return {
        "metadata": _metadata(job),
        "spec": {} if deadline is None else {"activeDeadlineSeconds": deadline},
        "status": {"conditions": (job.get("status") or {}).get("conditions")},
    }


def slim_pod(pod: Object) -> Object:
    """Return a pod without its spec."""
    return {"metadata": _metadata(pod), "status": pod.get("status")}


def _metadata(obj: Object) -> Object:
    return {name: obj["metadata"][name] for name in _METADATA if name in obj["metadata"]}
