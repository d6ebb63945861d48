"""What a Deployment's ReplicaSets should be, decided from values alone."""

import copy
import math
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from sympozium.contract.names import short_hash
from sympozium.contract.resources import REPLICA_SETS, Object
from sympozium.contract.times import kube_time, parse_kube_time
from sympozium_local.controllers.pods import condition, created_at, owner_reference

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"

_NOT_COPIED = {"kubectl.kubernetes.io/last-applied-configuration", REVISION}


def matching_set(deployment: Object, sets: Iterable[Object]) -> Object | None:
    """Return the ReplicaSet of the Deployment's present template, the oldest if there are more."""
    template = deployment["spec"]["template"]
    same = [owned for owned in sets if _bare_template(owned) == _bare(template)]
    return min(same, key=created_at, default=None)


def _bare_template(replica_set: Object) -> Object:
    return _bare(replica_set["spec"]["template"])


def _bare(template: Object) -> Object:
    bare = copy.deepcopy(template)
    metadata = bare.setdefault("metadata", {})
    metadata.pop("creationTimestamp", None)
    labels = metadata.get("labels") or {}
    metadata["labels"] = {key: value for key, value in labels.items() if key != HASH_LABEL}
    return bare


def build_set(deployment: Object, *, revision: int, collisions: int) -> Object:
    """Return a new ReplicaSet without replicas for the Deployment's present template."""
    spec, metadata = deployment["spec"], deployment["metadata"]
    template = copy.deepcopy(spec["template"])
    content = msgspec.json.encode(_bare(template), order="deterministic").decode()
    digest = short_hash(content, str(collisions))
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    labels[HASH_LABEL] = digest
    selector = copy.deepcopy(spec["selector"])
    selector.setdefault("matchLabels", {})[HASH_LABEL] = digest
    annotations = metadata.get("annotations") or {}
    kept = {key: value for key, value in annotations.items() if key not in _NOT_COPIED}
    return {
        "apiVersion": REPLICA_SETS.api_version,
        "kind": REPLICA_SETS.kind,
        "metadata": {
            "name": f"{metadata['name']}-{digest}",
            "namespace": metadata["namespace"],
            "labels": dict(labels),
            "annotations": kept | {REVISION: str(revision)},
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {
            "replicas": 0,
            "minReadySeconds": spec.get("minReadySeconds", 0),
            "selector": selector,
            "template": template,
        },
    }


def revision_of(obj: Object) -> int:
    """Return the revision that an object is annotated with, or 0."""
    text = (obj["metadata"].get("annotations") or {}).get(REVISION, "")
    return int(text) if text.isdigit() else 0


def scales(deployment: Object, new: Object, old: list[Object]) -> list[tuple[Object, int]]:
    """Return the next step of a rollout: (ReplicaSet, replicas) where the number changes."""
    spec = deployment["spec"]
    wanted = int(spec.get("replicas", 1))
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        sizes = _recreate(wanted, new, old)
    else:
        sizes = _roll(wanted, strategy.get("rollingUpdate") or {}, new, old)
    return [(owned, size) for owned, size in sizes if _size(owned) != size]


def _recreate(wanted: int, new: Object, old: list[Object]) -> list[tuple[Object, int]]:
    steps = [(owned, 0) for owned in old]
    are_gone = all(_size(owned) == 0 and _count(owned, "replicas") == 0 for owned in old)
    return [*steps, (new, wanted)] if are_gone or not old else steps


def _roll(wanted: int, limits: Object, new: Object, old: list[Object]) -> list[tuple[Object, int]]:
    surge = _amount(limits.get("maxSurge", "25%"), wanted, round_up=True)
    unavailable = _amount(limits.get("maxUnavailable", "25%"), wanted, round_up=False)
    unavailable = 1 if surge == unavailable == 0 else unavailable
    total = _size(new) + sum(map(_size, old))
    growth = max(0, min(wanted + surge - total, wanted - _size(new)))
    steps = [(new, min(wanted, _size(new) + growth))]
    missing_in_new = _size(new) - _count(new, "availableReplicas")
    budget = max(0, total - (wanted - unavailable) - missing_in_new)
    available = _count(new, "availableReplicas")
    spare = max(0, available + _old_available(old) - (wanted - unavailable))
    for owned in sorted(old, key=created_at):
        size, good = _size(owned), min(_size(owned), _count(owned, "availableReplicas"))
        sick = min(size - good, budget)
        healthy = min(good, spare, budget - sick)
        budget -= sick + healthy
        spare -= healthy
        steps.append((owned, size - sick - healthy))
    return steps


def _old_available(old: list[Object]) -> int:
    return sum(_count(owned, "availableReplicas") for owned in old)


def _amount(text: int | str, of: int, *, round_up: bool) -> int:
    if isinstance(text, int):
        return text
    share = int(text.rstrip("%")) * of / 100
    return math.ceil(share) if round_up else math.floor(share)


def _size(replica_set: Object) -> int:
    return int(replica_set["spec"].get("replicas", 0))


def _count(obj: Object, field: str) -> int:
    return int((obj.get("status") or {}).get(field) or 0)


def surplus(deployment: Object, old: list[Object]) -> list[Object]:
    """Return the old, empty ReplicaSets beyond `revisionHistoryLimit`."""
    limit = int(deployment["spec"].get("revisionHistoryLimit", 10))
    empty = [owned for owned in old if _size(owned) == 0 and _count(owned, "replicas") == 0]
    empty.sort(key=revision_of)
    return empty[: max(0, len(empty) - limit)]


def deployment_status(
    deployment: Object, new: Object | None, old: list[Object], now: datetime
) -> Object:
    """Return the Deployment's status for its ReplicaSets as they are."""
    owned = ([new] if new else []) + old
    wanted = int(deployment["spec"].get("replicas", 1))
    available = sum(_count(one, "availableReplicas") for one in owned)
    status: Object = {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        "replicas": sum(_count(one, "replicas") for one in owned),
        "updatedReplicas": _count(new, "replicas") if new else 0,
        "readyReplicas": sum(_count(one, "readyReplicas") for one in owned),
        "availableReplicas": available,
        "unavailableReplicas": max(0, max(wanted, sum(map(_size, owned))) - available),
    }
    collisions = (deployment.get("status") or {}).get("collisionCount")
    if collisions is not None:
        status["collisionCount"] = collisions
    status["conditions"] = [
        _available(deployment, available, wanted, now),
        _progressing(deployment, status, new, now),
    ]
    return {key: value for key, value in status.items() if value not in (0, None)}


def _available(deployment: Object, available: int, wanted: int, now: datetime) -> Object:
    limits = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    slack = _amount(limits.get("maxUnavailable", 0), wanted, round_up=False)
    if available >= wanted - slack:
        text = "Deployment has minimum availability."
        return _condition(deployment, ("Available", "True", "MinimumReplicasAvailable", text), now)
    text = "Deployment does not have minimum availability."
    return _condition(deployment, ("Available", "False", "MinimumReplicasUnavailable", text), now)


def _progressing(deployment: Object, status: Object, new: Object | None, now: datetime) -> Object:
    wanted = int(deployment["spec"].get("replicas", 1))
    name = new["metadata"]["name"] if new else deployment["metadata"]["name"]
    before = condition(deployment, "Progressing")
    if (
        status["updatedReplicas"] == wanted == status["availableReplicas"]
        and status["replicas"] == wanted
    ):
        text = f'ReplicaSet "{name}" has successfully progressed.'
        return _condition(deployment, ("Progressing", "True", "NewReplicaSetAvailable", text), now)
    if before and before["reason"] == "NewReplicaSetAvailable" and not _is_rolling(status):
        return before  # a complete rollout whose pods come and go
    old = deployment.get("status") or {}
    moved = (
        any(
            old.get(key, 0) != status[key]
            for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        )
        or old.get("observedGeneration") != status["observedGeneration"]
    )
    if not moved and before and progress_deadline(deployment, before) <= now:
        text = f'ReplicaSet "{name}" has timed out progressing.'
        return _condition(
            deployment, ("Progressing", "False", "ProgressDeadlineExceeded", text), now
        )
    if not moved and before:
        return before
    text = f'ReplicaSet "{name}" is progressing.'
    return _condition(deployment, ("Progressing", "True", "ReplicaSetUpdated", text), now)


def _is_rolling(status: Object) -> bool:
    return bool(status["updatedReplicas"] < status["replicas"])


def progress_deadline(deployment: Object, progressing: Object) -> datetime:
    """Return until when the rollout must move again to be called progressing."""
    seconds = int(deployment["spec"].get("progressDeadlineSeconds", 600))
    return parse_kube_time(progressing["lastUpdateTime"]) + timedelta(seconds=seconds)


def _condition(deployment: Object, facts: tuple[str, str, str, str], now: datetime) -> Object:
    kind, status, reason, message = facts
    before = condition(deployment, kind)
    moment = kube_time(now)
    changed = moment
    if before and before["status"] == status:
        changed = before["lastTransitionTime"]
        if before["reason"] == reason and before["message"] == message and kind == "Available":
            return before
        if before["reason"] == reason == "NewReplicaSetAvailable" and before["message"] == message:
            return before
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": moment,
        "lastTransitionTime": changed,
    }
