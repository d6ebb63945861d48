"""What a deletion does to an object: nothing, a mark, or its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sympozium_local.apiserver.errors import ApiError, bad_request, conflict, invalid_options
from sympozium_local.apiserver.registry import Served
from sympozium_local.apiserver.resource import ApiResource, Object

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
"""The finalizers by which the garbage collector is told what to do with dependents."""

_POLICIES = {"Background", "Foreground", "Orphan"}


@dataclass(frozen=True)
class DeleteOptions:
    """How to delete. An empty *propagation* is the kind's default."""

    grace_s: int | None = None
    propagation: str = ""
    uid: str = ""
    version: str = ""

    @staticmethod
    def of(query: Mapping[str, str], body: Any) -> "DeleteOptions":
        """Read the options of a request; its body wins over its query.

        Raises:
            ApiError: 400, they make no sense.
        """
        given: Object = body if isinstance(body, dict) else {}
        grace = given.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
        policy = given.get("propagationPolicy") or query.get("propagationPolicy") or ""
        orphan = given.get("orphanDependents", query.get("orphanDependents"))
        if orphan is not None and policy:
            both = "orphanDependents and deletionPropagation cannot be both set"
            why = f'Invalid value: "{policy}": {both}'
            raise invalid_options("DeleteOptions", "propagationPolicy", "FieldValueInvalid", why)
        if orphan is not None:
            policy = "Orphan" if str(orphan).lower() == "true" else "Background"
        if policy and policy not in _POLICIES:
            supported = 'supported values: "Foreground", "Background", "Orphan", "nil"'
            why = f'Unsupported value: "{policy}": {supported}'
            raise invalid_options(
                "DeleteOptions", "propagationPolicy", "FieldValueNotSupported", why
            )
        wanted = given.get("preconditions") or {}
        try:
            grace_s = None if grace in {None, ""} else int(grace)
        except ValueError:
            raise bad_request(f'strconv.ParseInt: parsing "{grace}": invalid syntax') from None
        return DeleteOptions(
            grace_s, policy, wanted.get("uid", ""), wanted.get("resourceVersion", "")
        )


def is_over(obj: Object) -> bool:
    """Tell whether a marked object has nothing left to wait for."""
    metadata = obj["metadata"]
    return (
        "deletionTimestamp" in metadata
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
        and not (obj["kind"] == "Namespace" and obj.get("spec", {}).get("finalizers"))
    )


def require_preconditions(served: Served, obj: Object, options: DeleteOptions) -> None:
    """Refuse to delete another object than the one that was meant.

    Raises:
        ApiError: 409.
    """
    metadata = obj["metadata"]
    for what, wanted, found in (
        ("UID", options.uid, metadata["uid"]),
        ("ResourceVersion", options.version, metadata["resourceVersion"]),
    ):
        if wanted and wanted != found:
            why = (
                f"the {what} in the precondition ({wanted}) does not match the {what} in record "
                f"({found}). The object might have been {_FATES[what]}"
            )
            raise _other_object(served.resource, metadata["name"], why)


_FATES = {"UID": "deleted and then recreated", "ResourceVersion": "modified"}


def _other_object(resource: ApiResource, name: str, why: str) -> ApiError:
    error = conflict(resource, name, why)
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    message = f'Operation cannot be fulfilled on {kind} "{name}": {why}'
    details = {**(error.details or {}), "kind": resource.kind}
    return ApiError(error.code, error.reason, message, details)


def mark(obj: Object, options: DeleteOptions, now: datetime) -> None:
    """Write into *obj* that it is being deleted, and what it waits for.

    Deleting again may only bring the end nearer.
    """
    metadata = obj["metadata"]
    _set_finalizers(metadata, options.propagation)
    grace_s = _grace_s(obj, options)
    if "deletionTimestamp" in metadata:
        before_s = metadata.get("deletionGracePeriodSeconds") or 0
        if options.grace_s is None or grace_s >= before_s:
            return
        started = datetime.fromisoformat(metadata["deletionTimestamp"]) - timedelta(
            seconds=before_s
        )
        now = max(started, now - timedelta(seconds=grace_s))
    elif "generation" in metadata:
        metadata["generation"] += 1
    end = (now + timedelta(seconds=grace_s)).astimezone(UTC)
    metadata["deletionTimestamp"] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
    if obj["kind"] == "Namespace" and obj["apiVersion"] == "v1":
        obj.setdefault("status", {})["phase"] = "Terminating"
    else:
        metadata["deletionGracePeriodSeconds"] = grace_s


def _set_finalizers(metadata: Object, propagation: str) -> None:
    if not propagation:
        return
    finalizers = [
        one for one in metadata.get("finalizers") or [] if one not in {FOREGROUND, ORPHAN}
    ]
    if propagation == "Foreground":
        finalizers.append(FOREGROUND)
    elif propagation == "Orphan":
        finalizers.append(ORPHAN)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)


def _grace_s(obj: Object, options: DeleteOptions) -> int:
    """Return for how long only the kubelet may end the object; 0 for all but living pods.

    Source: podStrategy.CheckGracefulDelete in kubernetes/pkg/registry/core/pod.
    """
    if obj["kind"] != "Pod" or obj["apiVersion"] != "v1":
        return 0
    spec = obj["spec"]
    is_ended = obj.get("status", {}).get("phase") in {"Succeeded", "Failed"}
    if is_ended or not spec.get("nodeName"):
        return 0
    wanted = options.grace_s
    if wanted is None:
        wanted = spec.get("terminationGracePeriodSeconds", 30)
    return wanted if wanted >= 0 else 1
