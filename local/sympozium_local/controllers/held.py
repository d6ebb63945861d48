"""The parts of pods and Jobs that are held in memory.

Those that have ended stay for ten minutes or more, and whole, a few thousand of
them take more memory than everything else in this process.
"""

from sympozium.contract.resources import Object
from sympozium.kube.informer import without_managed_fields
from sympozium_local.controllers.job_counts import INDEX_ANNOTATION
from sympozium_local.controllers.pods import has_ended, is_true

_FOR_PEOPLE = ("annotations", "generateName", "finalizers", "generation")


def held_pod(pod: Object) -> Object:
    """Return *pod* with no more of its spec than the ports by which Services know it.

    One that has ended is held without all that was for people, too.
    """
    held = {name: part for name, part in without_managed_fields(pod).items() if name != "spec"}
    if not has_ended(pod):
        ports = [{"ports": one["ports"]} for one in pod["spec"]["containers"] if one.get("ports")]
        return held | ({"spec": {"containers": ports}} if ports else {})
    metadata = {name: part for name, part in pod["metadata"].items() if name not in _FOR_PEOPLE}
    index = (pod["metadata"].get("annotations") or {}).get(INDEX_ANNOTATION)
    if index is not None:
        metadata["annotations"] = {INDEX_ANNOTATION: index}
    return held | {"metadata": metadata, "status": _ended_status(pod["status"])}


def _ended_status(status: Object) -> Object:
    conditions = [
        {"type": one["type"], "status": one["status"]} for one in _list(status, "conditions")
    ]
    return {
        "phase": status["phase"],
        "conditions": conditions,
        **{
            kind: [{"name": one["name"], "state": one.get("state")} for one in _list(status, kind)]
            for kind in ("initContainerStatuses", "containerStatuses")
        },
    }


def _list(status: Object, name: str) -> list[Object]:
    found: list[Object] = status.get(name) or []
    return found


def held_job(job: Object) -> Object:
    """Return a finished Job without its pod template, of which nothing is made any more.

    Its status may still be written: of that the server takes the status alone.
    """
    without_managed_fields(job)
    if not (is_true(job, "Complete") or is_true(job, "Failed")):
        return job
    return job | {"spec": {name: job["spec"][name] for name in job["spec"] if name != "template"}}
