"""What the server adds to objects of particular built-in kinds, and asks of them."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from sympozium_local.apiserver import crds, matching, policy_rules, webhooks
from sympozium_local.apiserver.accounts import ROOT_CA
from sympozium_local.apiserver.errors import forbidden
from sympozium_local.apiserver.registry import Registry, Served
from sympozium_local.apiserver.resource import Object

NODE = "local"
"""The only node there is. Without a scheduler, pods are assigned as they are created."""

PERMANENT_NAMESPACES = frozenset({"default", "kube-system"})

Causes = list[tuple[str, str, str]]


def prepare(key: str, obj: Object, old: Object | None, now: str, registry: Registry) -> None:
    """Complete an object that is about to be stored; *old* is None for a new one.

    Doing it twice changes nothing more.
    """
    if key == "pods" and old is None:
        _prepare_pod(obj, now)
    elif key == "namespaces" and old is None:
        obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        obj.setdefault("status", {}).setdefault("phase", "Active")
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"][
            "name"
        ]
    elif key == "secrets":
        _prepare_secret(obj)
    elif key == crds.KEY and not crds.check(obj):
        crds.prepare(obj, now, registry)


def _prepare_pod(pod: Object, now: str) -> None:
    spec = pod["spec"]
    status = pod.setdefault("status", {})
    status.setdefault("phase", "Pending")
    status["qosClass"] = qos_class(spec)
    if not spec.get("schedulingGates"):
        spec.setdefault("nodeName", NODE)
    elif not status.get("conditions"):
        gated = "Scheduling is blocked due to non-empty scheduling gates"
        status["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "SchedulingGated",
                "message": gated,
                "lastTransitionTime": now,
            }
        ]
    if spec.get("nodeName") == NODE and not status.get("conditions"):
        status["conditions"] = [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": now}
        ]


def qos_class(spec: Object) -> str:
    """Return in which order a pod is ended when memory runs out.

    Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
    """
    requests: list[Any] = []
    limits: list[Any] = []
    names = ("cpu", "memory")
    for container in (*spec.get("containers", ()), *spec.get("initContainers", ())):
        resources = container.get("resources") or {}
        limit = resources.get("limits") or {}
        request = {**limit, **(resources.get("requests") or {})}
        limits.append([limit.get(name) for name in names])
        requests.append([request.get(name) for name in names])
    if not any(value for values in (*requests, *limits) for value in values):
        return "BestEffort"
    return "Guaranteed" if requests == limits and all(map(all, limits)) else "Burstable"


def _prepare_secret(secret: Object) -> None:
    plain = secret.pop("stringData", None) or {}
    if plain:
        data = secret.setdefault("data", {})
        for name, value in plain.items():
            data[name] = base64.b64encode(str(value).encode()).decode()


def companions(namespace: str, root_ca: str) -> list[tuple[str, Object]]:
    """Return what every namespace has, with the storage keys."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": namespace},
    }
    trust = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": ROOT_CA, "namespace": namespace},
        "data": {"ca.crt": root_ca},
    }
    return [("serviceaccounts", account), ("configmaps", trust)]


_RULES: Mapping[str, Callable[[Object], Causes]] = {
    crds.KEY: crds.check,
    matching.MUTATING: webhooks.check,
    matching.VALIDATING: webhooks.check,
    matching.POLICIES: policy_rules.check_policy,
    matching.BINDINGS: policy_rules.check_binding,
}


def check(key: str, obj: Object, old: Object | None) -> Causes:
    """Return what is wrong with an object of a kind that has rules of its own here."""
    rules = _RULES.get(key)
    changed = crds.check_change(obj, old) if key == crds.KEY and old is not None else []
    return changed or (rules(obj) if rules is not None else [])


def require_deletable(served: Served, name: str) -> None:
    """Refuse to delete what the system stands on.

    Raises:
        ApiError: 403.
    """
    if served.key == "namespaces" and name in PERMANENT_NAMESPACES:
        raise forbidden(served.resource, name, "this namespace may not be deleted")
