"""What controllers ask of a pod, and how they make one from a template."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sympozium.contract.names import short_hash
from sympozium.contract.resources import PODS, Object
from sympozium.contract.times import parse_kube_time
from sympozium.kube.client import Kube
from sympozium.kube.errors import AlreadyExistsError, NotFoundError

GENERATED_CHARS = 5
MAX_PREFIX_CHARS = 57
"""A pod's name must fit a label; the prefix of a generated one is cut for it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def controller_uid(obj: Object) -> str:
    """Return the uid of the object's controlling owner, or ""."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner["uid"])
    return ""


def owner_uids(obj: Object) -> Iterable[str]:
    """Index objects by the uid of their controlling owner."""
    uid = controller_uid(obj)
    return (uid,) if uid else ()


def owner_reference(owner: Object) -> Object:
    """Return the reference by which *owner* controls what it makes."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def phase(pod: Object) -> str:
    """Return the pod's phase; a pod without a status is Pending."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def has_ended(pod: Object) -> bool:
    """Return whether all of the pod's containers are over for good."""
    return phase(pod) in {"Succeeded", "Failed"}


def is_terminating(pod: Object) -> bool:
    """Return whether the pod was deleted and is still there."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def is_active(pod: Object) -> bool:
    """Return whether the pod runs or will run, and is not being deleted."""
    return not has_ended(pod) and not is_terminating(pod)


def condition(obj: Object, kind: str) -> Object | None:
    """Return the condition of that type, or None."""
    for entry in (obj.get("status") or {}).get("conditions") or ():
        if entry.get("type") == kind:
            found: Object = entry
            return found
    return None


def is_true(obj: Object, kind: str) -> bool:
    """Return whether the condition of that type is True."""
    entry = condition(obj, kind)
    return entry is not None and entry.get("status") == "True"


def is_ready(pod: Object) -> bool:
    """Return whether the pod takes part in serving."""
    return is_true(pod, "Ready")


def ready_for_s(pod: Object, now: datetime) -> float:
    """Return how long the pod has been ready; negative when it is not."""
    entry = condition(pod, "Ready")
    if entry is None or entry.get("status") != "True":
        return -1.0
    return (now - _moment(entry.get("lastTransitionTime"))).total_seconds()


def ended_at(pod: Object) -> datetime:
    """Return when the pod's last container ended, as far as its status tells."""
    status = pod.get("status") or {}
    ends = [
        _moment(terminated.get("finishedAt"))
        for entry in status.get("containerStatuses") or ()
        if (terminated := (entry.get("state") or {}).get("terminated"))
    ]
    return max(ends, default=created_at(pod))


def created_at(obj: Object) -> datetime:
    """Return when the object was created."""
    return _moment(obj["metadata"].get("creationTimestamp"))


def _moment(text: str | None) -> datetime:
    return parse_kube_time(text) if text else _EPOCH


@dataclass(frozen=True)
class NewPod:
    """A pod to create for *owner*.

    Attributes:
        prefix: What its name starts with, before five generated characters.
        seed: The same seed gives the same name, so that a create whose answer was
            lost meets itself instead of making a second pod.
    """

    owner: Object
    template: Object
    prefix: str
    seed: str


def build_pod(new: NewPod, attempt: int = 0) -> Object:
    """Return the pod, ready to create."""
    template = copy.deepcopy(new.template)
    metadata = template.get("metadata") or {}
    generated = short_hash(new.owner["metadata"]["uid"], new.seed, str(attempt))
    prefix = new.prefix[:MAX_PREFIX_CHARS].rstrip("-.")
    return {
        "apiVersion": PODS.api_version,
        "kind": PODS.kind,
        "metadata": {
            "name": f"{prefix}-{generated[:GENERATED_CHARS]}",
            "generateName": f"{prefix}-",
            "namespace": new.owner["metadata"]["namespace"],
            "labels": metadata.get("labels") or {},
            "annotations": metadata.get("annotations") or {},
            "finalizers": metadata.get("finalizers") or [],
            "ownerReferences": [owner_reference(new.owner)],
        },
        "spec": template["spec"],
    }


async def create_pod(kube: Kube, new: NewPod) -> Object:
    """Create the pod, or return the one that an earlier try with the same seed created.

    Raises:
        InvalidError: The template does not make a valid pod.
        ForbiddenError: A quota or policy refuses it.
    """
    for attempt in range(3):
        pod = build_pod(new, attempt)
        try:
            return await kube.create(PODS, pod)
        except AlreadyExistsError:
            metadata = pod["metadata"]
            try:
                there = await kube.get(PODS, metadata["namespace"], metadata["name"])
            except NotFoundError:
                continue
            if controller_uid(there) == new.owner["metadata"]["uid"] and is_active(there):
                return there
    raise AlreadyExistsError(f"cannot create a pod {new.prefix!r}: three generated names are taken")


async def delete_pod(kube: Kube, pod: Object) -> None:
    """Delete the pod; that it is gone already, or another has its name, is success."""
    metadata = pod["metadata"]
    try:
        await kube.delete(PODS, metadata["namespace"], metadata["name"], uid=metadata["uid"])
    except NotFoundError:
        return
