"""The rules of built-in kinds that people meet: names, containers, what never changes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sympozium_local.apiserver import name_rules, workload_rules
from sympozium_local.apiserver.builtin_types import check_types
from sympozium_local.apiserver.field_errors import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
    shown,
)
from sympozium_local.apiserver.fields import message_of
from sympozium_local.apiserver.resource import ApiResource, Object

_MAX_ANNOTATION_BYTES = 256 * 1024
_MAX_CONFIG_BYTES = 1024 * 1024
_IMMUTABLE = "field is immutable"
_UPDATABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_NO_MATCH = "`selector` does not match template `labels`"

Found = Iterator[FieldError]


def validate_builtin(resource: ApiResource, new: Object, old: Object | None) -> list[FieldError]:
    """Return what is wrong with *new*; *old* is what it replaces, None for a new object."""
    message = message_of(resource.api_version, resource.kind)
    if message is None:
        return []
    found = check_types(new, message, old)
    is_typed = not found  # the rules below rely on it
    if not any(one.field.startswith("metadata") for one in found):
        found += _metadata(resource, new, old)
    rule = _BY_KIND.get(resource.storage_key)
    if is_typed and rule is not None:
        found += rule(new, old)
    return found


def _metadata(resource: ApiResource, new: Object, old: Object | None) -> Found:
    metadata = new.get("metadata") or {}
    name = metadata.get("name", "")
    if old is None and name:
        check = _NAMES.get(resource.storage_key, name_rules.dns_subdomain)
        yield from (invalid("metadata.name", name, why) for why in check(name))
    yield from _labels("metadata.labels", metadata.get("labels"))
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        for why in name_rules.label_key(key.lower()):
            yield invalid("metadata.annotations", key, why)
    if sum(len(key) + len(value) for key, value in annotations.items()) > _MAX_ANNOTATION_BYTES:
        message = f"Too long: may not be more than {_MAX_ANNOTATION_BYTES} bytes"
        yield FieldError("metadata.annotations", "FieldValueTooLong", message)


_NAMES: Mapping[str, Callable[[str], list[str]]] = {
    "namespaces": name_rules.dns_label,
    "services": name_rules.dns_label,
    "roles.rbac.authorization.k8s.io": name_rules.path_segment,
    "clusterroles.rbac.authorization.k8s.io": name_rules.path_segment,
    "rolebindings.rbac.authorization.k8s.io": name_rules.path_segment,
    "clusterrolebindings.rbac.authorization.k8s.io": name_rules.path_segment,
}


def _labels(path: str, labels: Any) -> Found:
    for key, value in (labels or {}).items():
        yield from (invalid(path, key, why) for why in name_rules.label_key(key))
        yield from (invalid(path, value, why) for why in name_rules.label_value(value))


def _immutable(path: str, new: Object, old: Object | None, *keys: str) -> Found:
    for key in keys if old is not None else ():
        if old is not None and new.get(key) != old.get(key):
            yield invalid(f"{path}{key}", new.get(key), _IMMUTABLE)


def _pod(new: Object, old: Object | None) -> Found:
    spec: Object = new.get("spec") or {}
    if old is None:
        yield from _pod_spec("spec", spec)
    elif _frozen_spec(spec) != _frozen_spec(old.get("spec") or {}):
        yield forbidden("spec", _UPDATABLE)


def _frozen_spec(spec: Object) -> Object:
    """Return the part of a pod's spec that an update may not change."""
    free = {
        "containers",
        "initContainers",
        "ephemeralContainers",
        "activeDeadlineSeconds",
        "tolerations",
        "schedulingGates",
        "nodeName",
    }
    frozen = {key: value for key, value in spec.items() if key not in free}
    for key in ("containers", "initContainers"):
        frozen[key] = [{**one, "image": ""} for one in spec.get(key) or ()]
    return frozen


def _pod_spec(path: str, spec: Object, *, claimed: Iterable[str] = ()) -> Found:
    volumes: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or ()):
        place = f"{path}.volumes[{index}]"
        yield from (invalid(f"{place}.name", volume["name"], why)
                    for why in name_rules.dns_label(volume["name"]))  # fmt: skip
        if volume["name"] in volumes:
            yield duplicate(f"{place}.name", volume["name"])
        if len(volume) > 2:
            yield forbidden(place, "may not specify more than 1 volume type")
        volumes.add(volume["name"])
    volumes.update(claimed)
    names: set[str] = set()
    for key in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(key) or ()):
            place = f"{path}.{key}[{index}]"
            if container["name"] in names:
                yield duplicate(f"{place}.name", container["name"])
            names.add(container["name"])
            yield from _container(place, container, volumes)
    if not 0 < spec.get("activeDeadlineSeconds", 1) < 2**31:
        why = "must be between 1 and 2147483647, inclusive"
        yield invalid(f"{path}.activeDeadlineSeconds", spec["activeDeadlineSeconds"], why)
    yield from workload_rules.check_user(
        f"{path}.securityContext", spec.get("securityContext") or {}
    )


def _container(path: str, container: Object, volumes: set[str]) -> Found:
    name = container["name"]
    yield from (invalid(f"{path}.name", name, why) for why in name_rules.dns_label(name))
    for index, port in enumerate(container.get("ports") or ()):
        place = f"{path}.ports[{index}]"
        if not 0 < port["containerPort"] < 65536:
            why = "must be between 1 and 65535, inclusive"
            yield invalid(f"{place}.containerPort", port["containerPort"], why)
    for index, env in enumerate(container.get("env") or ()):
        place = f"{path}.env[{index}]"
        yield from (invalid(f"{place}.name", env["name"], why)
                    for why in name_rules.env_name(env["name"]))  # fmt: skip
        if env.get("value") and env.get("valueFrom"):
            yield invalid(
                f"{place}.valueFrom", "", "may not be specified when `value` is not empty"
            )
    yield from workload_rules.check_container(path, container)
    mounted: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        place = f"{path}.volumeMounts[{index}]"
        if mount["name"] not in volumes:
            message = f"Not found: {shown(mount['name'])}"
            yield FieldError(f"{place}.name", "FieldValueNotFound", message)
        if mount["mountPath"] in mounted:
            yield invalid(f"{place}.mountPath", mount["mountPath"], "must be unique")
        mounted.add(mount["mountPath"])


def _template(path: str, owner: Object, selector: Any) -> Found:
    template: Object = owner.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    yield from _labels(f"{path}.metadata.labels", labels)
    wanted = (selector or {}).get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        yield invalid(f"{path}.metadata.labels", labels, _NO_MATCH)
    claims = owner.get("volumeClaimTemplates") or ()  # of a StatefulSet, for each of its pods
    claimed = [claim["metadata"]["name"] for claim in claims]
    yield from _pod_spec(f"{path}.spec", template.get("spec") or {}, claimed=claimed)


def _workload(new: Object, old: Object | None) -> Found:
    spec: Object = new.get("spec") or {}
    yield from _immutable("spec.", spec, old and old.get("spec"), "selector")
    selector = spec.get("selector") or {}
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield invalid("spec.selector", selector, "empty selector is invalid for deployment")
    if spec.get("replicas", 0) < 0:
        yield invalid("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
    if new["kind"] == "Deployment":
        yield from workload_rules.check_strategy("spec.strategy", spec.get("strategy") or {})
    yield from _template("spec.template", spec, selector)
    yield from _restart_policy("spec.template.spec", spec.get("template"), ("Always",))


def _restart_policy(path: str, template: Any, allowed: tuple[str, ...]) -> Found:
    policy = ((template or {}).get("spec") or {}).get("restartPolicy")
    if policy not in allowed:
        if len(allowed) > 1:
            yield required(f"{path}.restartPolicy", f"valid values: {shown(sorted(allowed))}")
        else:
            yield not_supported(f"{path}.restartPolicy", policy, allowed)


def _job(new: Object, old: Object | None) -> Found:
    spec: Object = new.get("spec") or {}
    yield from _job_spec("spec", spec)
    if old is None:
        yield from _template("spec.template", spec, spec.get("selector"))
        return
    before: Object = old.get("spec") or {}
    keys = ["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy"]
    if not before.get("suspend"):
        keys.append("template")
    if spec.get("completionMode") != "Indexed":
        keys.append("completions")
    yield from _immutable("spec.", spec, before, *keys)


def _job_spec(path: str, spec: Object) -> Found:
    for key in (
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    ):
        if spec.get(key, 0) < 0:
            yield invalid(f"{path}.{key}", spec[key], "must be greater than or equal to 0")
    failures = spec.get("podFailurePolicy") or {}
    yield from workload_rules.check_failure_policy(f"{path}.podFailurePolicy", failures)
    allowed = ("OnFailure", "Never")
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    if policy not in allowed:
        place = f"{path}.template.spec.restartPolicy"
        if policy in {None, "", "Always"}:
            yield required(place, 'valid values: "OnFailure", "Never"')
        else:
            yield not_supported(place, policy, allowed)


def _cron_job(new: Object, old: Object | None) -> Found:
    spec: Object = (new.get("spec") or {}).get("jobTemplate", {}).get("spec") or {}
    yield from _job_spec("spec.jobTemplate.spec", spec)


def _role_binding(new: Object, old: Object | None) -> Found:
    if old is not None and new.get("roleRef") != old.get("roleRef"):
        yield invalid("roleRef", new.get("roleRef"), "cannot change roleRef")
    yield from workload_rules.check_binding(new)


def _config(new: Object, old: Object | None) -> Found:
    size = 0
    for part in ("data", "binaryData"):
        for key, value in (new.get(part) or {}).items():
            size += len(value)
            yield from (invalid(f"{part}[{key}]", key, why) for why in name_rules.config_key(key))
    for key in (new.get("data") or {}).keys() & (new.get("binaryData") or {}).keys():
        yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    if size > _MAX_CONFIG_BYTES:
        message = f"Too long: may not be more than {_MAX_CONFIG_BYTES} bytes"
        yield FieldError("", "FieldValueTooLong", message)
    if old is not None and old.get("immutable"):
        why = "field is immutable when `immutable` is set"
        for key in ("immutable", "data", "binaryData"):
            if new.get(key) != old.get(key):
                yield forbidden(key, why)


def _secret(new: Object, old: Object | None) -> Found:
    yield from _immutable("", new, old, "type")
    yield from _config(new, old)


def _service(new: Object, old: Object | None) -> Found:
    spec: Object = new.get("spec") or {}
    ports = spec.get("ports") or ()
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    for index, port in enumerate(ports):
        if not 0 < port["port"] < 65536:
            why = "must be between 1 and 65535, inclusive"
            yield invalid(f"spec.ports[{index}].port", port["port"], why)
        if len(ports) > 1 and not port.get("name"):
            yield required(f"spec.ports[{index}].name")
    yield from workload_rules.check_ports("spec.ports", list(ports))
    if old is not None and (old.get("spec") or {}).get("clusterIP") not in {None, ""}:
        yield from _immutable("spec.", spec, old["spec"], "clusterIP")


_BY_KIND: Mapping[str, Callable[[Object, Object | None], Found]] = {
    "pods": _pod,
    "deployments.apps": _workload,
    "replicasets.apps": _workload,
    "statefulsets.apps": _workload,
    "daemonsets.apps": _workload,
    "jobs.batch": _job,
    "cronjobs.batch": _cron_job,
    "rolebindings.rbac.authorization.k8s.io": _role_binding,
    "clusterrolebindings.rbac.authorization.k8s.io": _role_binding,
    "roles.rbac.authorization.k8s.io": lambda new, _old: workload_rules.check_role(new),
    "clusterroles.rbac.authorization.k8s.io": lambda new, _old: workload_rules.check_role(new),
    "networkpolicies.networking.k8s.io": (
        lambda new, _old: workload_rules.check_network_policy(new)
    ),
    "leases.coordination.k8s.io": lambda new, _old: workload_rules.check_lease(new),
    "events": lambda new, old: workload_rules.check_event(new) if old is None else iter(()),
    "configmaps": _config,
    "secrets": _secret,
    "services": _service,
}
