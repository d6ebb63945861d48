"""What the server fills in where a built-in object says nothing."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from sympozium_local.apiserver.fields import Field, is_message, json_fields, message_of
from sympozium_local.apiserver.patches import copied
from sympozium_local.apiserver.resource import ApiResource, Object

_RBAC = "rbac.authorization.k8s.io"
_CRD = "customresourcedefinitions"  # nulls in schemas are values there


@cache
def builtin_rules() -> Any:
    """Return the tables of defaults and of required fields, by message."""
    return json.loads(resources.files(__package__).joinpath("builtin_rules.json").read_bytes())


_NOTHING: Object = {}
_MANAGED = "managedFields"  # large, and written by the server itself


def default_builtin(resource: ApiResource, obj: Object, old: Object = _NOTHING) -> None:
    """Complete *obj* in place, as the real server does. Doing it twice changes nothing.

    A part that it shares with *old*, the very same object, was completed with that.
    """
    message = message_of(resource.api_version, resource.kind)
    if message is None:
        return
    if resource.plural != _CRD:
        _drop_nulls(obj, old)
    _default(obj, message, old)
    kind_rule = _BY_KIND.get(resource.storage_key)
    if kind_rule is not None:
        kind_rule(obj)


def _drop_nulls(value: Any, known: Object = _NOTHING) -> None:
    """Remove nulls: to a built-in kind they say the same as nothing."""
    if isinstance(value, dict):
        for key in [key for key, item in value.items() if item is None]:
            del value[key]
        for key, item in value.items():
            if isinstance(item, dict | list) and item is not known.get(key) and key != _MANAGED:
                _drop_nulls(item)
    elif isinstance(value, list):
        for item in value:
            _drop_nulls(item)


def _default(obj: Object, message: str, known: Object = _NOTHING) -> None:
    defaults = builtin_rules()["defaults"].get(message)
    if defaults is not None:
        for key, value in defaults.items():
            if key not in obj:
                obj[key] = copied(value)
    message_rule = _BY_MESSAGE.get(message)
    if message_rule is not None:
        message_rule(obj)
    for key, field in _ways(message).items():
        value = obj.get(key)
        if (not value and value != {}) or value is known.get(key):
            continue
        items = value if field.shape == "list" else [value]
        if field.shape == "map" and isinstance(value, dict):
            items = list(value.values())
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict):
                _default(item, field.type)


@cache
def _ways(message: str) -> Mapping[str, Field]:
    """Return the fields of *message* through which defaults can be reached."""
    return {
        key: field
        for key, field in json_fields(message).items()
        if is_message(field.type) and _leads_to_defaults(field.type, frozenset({message}))
    }


def _leads_to_defaults(message: str, seen: frozenset[str]) -> bool:
    if message in builtin_rules()["defaults"] or message in _BY_MESSAGE:
        return True
    return any(
        _leads_to_defaults(field.type, seen | {message})
        for field in json_fields(message).values()
        if is_message(field.type) and field.type not in seen
    )


def _container(container: Object) -> None:
    image = str(container.get("image", ""))
    container.setdefault("imagePullPolicy", "Always" if is_latest(image) else "IfNotPresent")


def is_latest(image: str) -> bool:
    """Tell whether an image reference means the tag `latest`, said or not."""
    if "@" in image:
        return False
    tag = image.rpartition("/")[2].partition(":")[2]
    return tag in {"", "latest"}


def _pod_spec(spec: Object) -> None:
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    grace_s = spec.get("terminationGracePeriodSeconds")
    if isinstance(grace_s, int) and grace_s < 0:
        spec["terminationGracePeriodSeconds"] = 1


def _volume(volume: Object) -> None:
    if not volume.keys() - {"name"}:
        volume["emptyDir"] = {}


def _service_port(port: Object) -> None:
    if not port.get("targetPort") and "port" in port:
        port["targetPort"] = port["port"]


def _strategy(strategy: Object) -> None:
    if strategy.get("type") == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {})


def _subject(subject: Object) -> None:
    if subject.get("kind") in {"User", "Group"}:
        subject.setdefault("apiGroup", _RBAC)


_BY_MESSAGE: Mapping[str, Callable[[Object], None]] = {
    "api.core.v1.Container": _container,
    "api.core.v1.EphemeralContainer": _container,
    "api.core.v1.PodSpec": _pod_spec,
    "api.core.v1.Volume": _volume,
    "api.core.v1.ServicePort": _service_port,
    "api.apps.v1.DeploymentStrategy": _strategy,
    "api.rbac.v1.Subject": _subject,
}


def _pod(pod: Object) -> None:
    spec = pod.get("spec")
    if not isinstance(spec, dict):
        return
    spec.setdefault("enableServiceLinks", True)
    for container in (*spec.get("containers", ()), *spec.get("initContainers", ())):
        resources_ = container.get("resources") or {}
        limits = resources_.get("limits")
        if limits:
            resources_["requests"] = {**limits, **(resources_.get("requests") or {})}


def _job(job: Object) -> None:
    spec = job.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("template"), dict):
        return
    if "parallelism" not in spec:
        spec.setdefault("completions", 1)
        spec["parallelism"] = 1
    is_strict = "podFailurePolicy" in spec
    spec.setdefault("podReplacementPolicy", "Failed" if is_strict else "TerminatingOrFailed")
    metadata = job.setdefault("metadata", {})
    template_metadata = spec["template"].setdefault("metadata", {})
    if metadata.get("uid") and not spec.get("manualSelector") and not spec.get("selector"):
        _select_own_pods(spec, template_metadata, metadata)
    if template_metadata.get("labels") and not metadata.get("labels"):
        metadata["labels"] = dict(template_metadata["labels"])


def _select_own_pods(spec: Object, template_metadata: Object, metadata: Object) -> None:
    labels = template_metadata.setdefault("labels", {})
    for prefix in ("", "batch.kubernetes.io/"):
        labels.setdefault(f"{prefix}controller-uid", metadata["uid"])
        if metadata.get("name"):
            labels.setdefault(f"{prefix}job-name", metadata["name"])
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": metadata["uid"]}}


def _service(service: Object) -> None:
    spec = service.get("spec")
    if not isinstance(spec, dict):
        return
    if spec["type"] in {"ClusterIP", "NodePort", "LoadBalancer"}:
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if spec["type"] != "ExternalName":
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
    if spec.get("clusterIP"):
        spec.setdefault("clusterIPs", [spec["clusterIP"]])


def _network_policy(policy: Object) -> None:
    spec = policy.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


_BY_KIND: Mapping[str, Callable[[Object], None]] = {
    "pods": _pod,
    "jobs.batch": _job,
    "services": _service,
    "networkpolicies.networking.k8s.io": _network_policy,
}
