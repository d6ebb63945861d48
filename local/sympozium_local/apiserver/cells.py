"""The cells of built-in kinds that are computed, worded as real kubectl shows them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sympozium_local.apiserver.event_cells import EVENT_CELLS
from sympozium_local.apiserver.pod_cells import pod_ready, pod_restarts, pod_status
from sympozium_local.apiserver.relative_time import age, human_duration, seconds_between
from sympozium_local.apiserver.resource import Object

__all__ = ["CELLS", "age"]

Cell = Callable[[Object, datetime], Any]

_NONE = "<none>"


def _spec(obj: Object) -> Object:
    spec: Object = obj.get("spec") or {}
    return spec


def _status(obj: Object) -> Object:
    status: Object = obj.get("status") or {}
    return status


def _at(obj: Any, *keys: str, otherwise: Any = _NONE) -> Any:
    for key in keys:
        obj = obj.get(key) if isinstance(obj, dict) else None
    return otherwise if obj in (None, "") else obj


def _path(*keys: str, otherwise: str = _NONE) -> Cell:
    return lambda obj, _now: _at(obj, *keys, otherwise=otherwise)


def _count(*parts: str) -> Cell:
    return lambda obj, _now: sum(len(obj.get(part) or ()) for part in parts)


def _joined(values: Any, empty: str = "") -> str:
    return ",".join(str(value) for value in values) or empty


def _containers(field: str) -> Cell:
    def cell(obj: Object, _now: datetime) -> str:
        spec = _at(_spec(obj), "jobTemplate", "spec", otherwise=_spec(obj))
        containers = _at(spec, "template", "spec", "containers", otherwise=())
        return _joined(one.get(field, "") for one in containers)

    return cell


def selector_text(selector: Any) -> str:
    """Return a label selector as one line."""
    selector = selector or {}
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or ():
        key, operator = one.get("key"), one.get("operator")
        values = f"({_joined(sorted(one.get('values') or ()))})"
        texts = {
            "In": f"{key} in {values}",
            "NotIn": f"{key} notin {values}",
            "Exists": f"{key}",
            "DoesNotExist": f"!{key}",
        }
        parts.append(texts.get(str(operator), "<invalid>"))
    return _joined(parts, _NONE)


def _selector(obj: Object, _now: datetime) -> str:
    return selector_text(_spec(obj).get("selector"))


def _plain_selector(obj: Object, _now: datetime) -> str:
    return selector_text({"matchLabels": _spec(obj).get("selector")})


def _ready_of_desired(obj: Object, _now: datetime) -> str:
    return f"{_status(obj).get('readyReplicas', 0)}/{_spec(obj).get('replicas', 0)}"


def _job_status(obj: Object, _now: datetime) -> str:
    conditions = _status(obj).get("conditions") or ()
    true = {one.get("type") for one in conditions if one.get("status") == "True"}
    if shown := next((one for one in ("Complete", "Failed") if one in true), ""):
        return shown
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    others = ("Suspended", "FailureTarget", "SuccessCriteriaMet")
    return next((one for one in others if one in true), "Running")


def _job_completions(obj: Object, _now: datetime) -> str:
    spec, done = _spec(obj), _status(obj).get("succeeded", 0)
    if "completions" in spec:
        return f"{done}/{spec['completions']}"
    parallelism = spec.get("parallelism", 0)
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _job_duration(obj: Object, now: datetime) -> str:
    started = _status(obj).get("startTime")
    if not started:
        return ""
    return human_duration(seconds_between(started, _status(obj).get("completionTime") or now))


def _external_ip(obj: Object, _now: datetime) -> str:
    spec = _spec(obj)
    ips = list(spec.get("externalIPs") or ())
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    if spec.get("type") == "LoadBalancer":
        ingress = _at(_status(obj), "loadBalancer", "ingress", otherwise=())
        ips = [one.get("ip") or one.get("hostname") for one in ingress] + ips
        return _joined(ips, "<pending>")
    return _joined(ips, _NONE)


def _service_ports(obj: Object, _now: datetime) -> str:
    def text(port: Object) -> str:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        return f"{port.get('port')}{node}/{port.get('protocol')}"

    return _joined((text(port) for port in _spec(obj).get("ports") or ()), _NONE)


def _cluster_ip(obj: Object, _now: datetime) -> str:
    ips = _spec(obj).get("clusterIPs") or [_spec(obj).get("clusterIP") or _NONE]
    return str(ips[0])


def _few(values: list[str]) -> str:
    more = f" + {len(values) - 3} more..." if len(values) > 3 else ""
    return _joined(values[:3], _NONE) + more


def _endpoints(obj: Object, _now: datetime) -> str:
    found = []
    for subset in obj.get("subsets") or ():
        ports = [f":{port['port']}" for port in subset.get("ports") or ()] or [""]
        addresses = subset.get("addresses") or ()
        found += [f"{address['ip']}{port}" for port in ports for address in addresses]
    return _few(found)


def _slice_endpoints(obj: Object, _now: datetime) -> str:
    slices = obj.get("endpoints") or ()
    return _few([ip for one in slices for ip in one.get("addresses") or ()])


def _slice_ports(obj: Object, _now: datetime) -> str:
    return _joined((port.get("port", "*") for port in obj.get("ports") or ()), "<unset>")


def _node_status(obj: Object, _now: datetime) -> str:
    conditions = {one["type"]: one["status"] for one in _status(obj).get("conditions") or ()}
    shown = {None: "Unknown", "True": "Ready"}.get(conditions.get("Ready"), "NotReady")
    return shown + (",SchedulingDisabled" if _spec(obj).get("unschedulable") else "")


def _node_roles(obj: Object, _now: datetime) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    return _joined(sorted(key[len(prefix) :] for key in labels if key.startswith(prefix)), _NONE)


def _node_ip(type_: str) -> Cell:
    def cell(obj: Object, _now: datetime) -> str:
        addresses = _status(obj).get("addresses") or ()
        return next((one["address"] for one in addresses if one["type"] == type_), _NONE)

    return cell


def _role(obj: Object, _now: datetime) -> str:
    role = obj.get("roleRef") or {}
    return f"{role.get('kind')}/{role.get('name')}"


def _subjects(kind: str) -> Cell:
    def cell(obj: Object, _now: datetime) -> str:
        found = [one for one in obj.get("subjects") or () if one.get("kind") == kind]
        spaced = kind == "ServiceAccount"
        names = (
            f"{one.get('namespace')}/{one['name']}" if spaced else one["name"] for one in found
        )
        return ", ".join(names)

    return cell


def _quota(*, limits: bool) -> Cell:
    def cell(obj: Object, _now: datetime) -> str:
        hard, used = _status(obj).get("hard") or {}, _status(obj).get("used") or {}
        names = [name for name in sorted(hard) if name.startswith("limits.") is limits]
        return ", ".join(f"{name}: {used.get(name, 0)}/{hard[name]}" for name in names)

    return cell


def _timestamp(*keys: str) -> Cell:
    def cell(obj: Object, now: datetime) -> str:
        value = _at(obj, *keys, otherwise=None)
        return age(value, now) if value else _NONE

    return cell


def _access_modes(obj: Object, _now: datetime) -> str:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX"}
    modes = _status(obj).get("accessModes") or ()
    return _joined(short.get(mode, "RWOP") for mode in modes)


def _claim_status(obj: Object, _now: datetime) -> str:
    is_ending = bool(obj["metadata"].get("deletionTimestamp"))
    return "Terminating" if is_ending else str(_status(obj).get("phase", ""))


def _hosts(obj: Object, _now: datetime) -> str:
    hosts = [str(rule["host"]) for rule in _spec(obj).get("rules") or () if rule.get("host")]
    return _few(hosts) if hosts else "*"


def _address(obj: Object, _now: datetime) -> str:
    ingress = _at(_status(obj), "loadBalancer", "ingress", otherwise=())
    return _joined(one.get("ip") or one.get("hostname") for one in ingress)


def _ingress_ports(obj: Object, _now: datetime) -> str:
    return "80, 443" if _spec(obj).get("tls") else "80"


def _suspended(obj: Object, _now: datetime) -> str:
    return str(_spec(obj).get("suspend", False))


def _readiness_gates(obj: Object, _now: datetime) -> str:
    gates = _spec(obj).get("readinessGates") or ()
    conditions = _status(obj).get("conditions") or ()
    true = {one["type"] for one in conditions if one["status"] == "True"}
    met = sum(gate.get("conditionType") in true for gate in gates)
    return f"{met}/{len(gates)}" if gates else _NONE


_WORKLOAD: Mapping[str, Cell] = {
    "Containers": _containers("name"),
    "Images": _containers("image"),
    "Selector": _selector,
}
_BINDING: Mapping[str, Cell] = {
    "Role": _role,
    "Users": _subjects("User"),
    "Groups": _subjects("Group"),
    "ServiceAccounts": _subjects("ServiceAccount"),
}
_WEBHOOKS: Mapping[str, Cell] = {"Webhooks": _count("webhooks")}

_BY_KIND: Mapping[str, Mapping[str, Cell]] = {
    "pods": {
        "Ready": lambda obj, _now: pod_ready(obj),
        "Status": lambda obj, _now: pod_status(obj),
        "Restarts": pod_restarts,
        "IP": _path("status", "podIP"),
        "Node": _path("spec", "nodeName"),
        "Nominated Node": _path("status", "nominatedNodeName"),
        "Readiness Gates": _readiness_gates,
    },
    "services": {
        "Cluster-IP": _cluster_ip,
        "External-IP": _external_ip,
        "Port(s)": _service_ports,
        "Selector": _plain_selector,
    },
    "configmaps": {"Data": _count("data", "binaryData")},
    "secrets": {"Data": _count("data")},
    "events": EVENT_CELLS,
    "events.events.k8s.io": EVENT_CELLS,
    "nodes": {
        "Status": _node_status,
        "Roles": _node_roles,
        "Internal-IP": _node_ip("InternalIP"),
        "External-IP": _node_ip("ExternalIP"),
        "OS-Image": _path("status", "nodeInfo", "osImage", otherwise="<unknown>"),
        "Kernel-Version": _path("status", "nodeInfo", "kernelVersion", otherwise="<unknown>"),
        "Container-Runtime": _path(
            "status", "nodeInfo", "containerRuntimeVersion", otherwise="<unknown>"
        ),
    },
    "persistentvolumeclaims": {
        "Status": _claim_status,
        "Access Modes": _access_modes,
        "VolumeAttributesClass": _path("spec", "volumeAttributesClassName", otherwise="<unset>"),
    },
    "endpoints": {"Endpoints": _endpoints},
    "resourcequotas": {"Request": _quota(limits=False), "Limit": _quota(limits=True)},
    "deployments.apps": {
        "Ready": _ready_of_desired,
        "Up-to-date": lambda obj, _now: _status(obj).get("updatedReplicas", 0),
        "Available": lambda obj, _now: _status(obj).get("availableReplicas", 0),
        **_WORKLOAD,
    },
    "replicasets.apps": _WORKLOAD,
    "statefulsets.apps": {
        "Ready": _ready_of_desired,
        "Containers": _containers("name"),
        "Images": _containers("image"),
    },
    "daemonsets.apps": {
        "Node Selector": lambda obj, _now: selector_text(
            {"matchLabels": _at(_spec(obj), "template", "spec", "nodeSelector", otherwise={})}
        ),
        **_WORKLOAD,
    },
    "jobs.batch": {
        "Status": _job_status,
        "Completions": _job_completions,
        "Duration": _job_duration,
        **_WORKLOAD,
    },
    "cronjobs.batch": {
        "Timezone": _path("spec", "timeZone"),
        "Suspend": _suspended,
        "Active": lambda obj, _now: len(_status(obj).get("active") or ()),
        "Last Schedule": _timestamp("status", "lastScheduleTime"),
        **_WORKLOAD,
    },
    "rolebindings.rbac.authorization.k8s.io": _BINDING,
    "clusterrolebindings.rbac.authorization.k8s.io": _BINDING,
    "networkpolicies.networking.k8s.io": {
        "Pod-Selector": lambda obj, _now: selector_text(_spec(obj).get("podSelector")),
    },
    "ingresses.networking.k8s.io": {
        "Class": _path("spec", "ingressClassName"),
        "Hosts": _hosts,
        "Address": _address,
        "Ports": _ingress_ports,
    },
    "poddisruptionbudgets.policy": {
        "Min Available": lambda obj, _now: str(_spec(obj).get("minAvailable", "N/A")),
        "Max Unavailable": lambda obj, _now: str(_spec(obj).get("maxUnavailable", "N/A")),
    },
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _WEBHOOKS,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _WEBHOOKS,
    "validatingadmissionpolicies.admissionregistration.k8s.io": {
        "Validations": lambda obj, _now: len(_spec(obj).get("validations") or ()),
        "ParamKind": lambda obj, _now: _param(_spec(obj).get("paramKind"), "apiVersion", "kind"),
    },
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": {
        "ParamRef": lambda obj, _now: _param(_spec(obj).get("paramRef"), "namespace", "name"),
    },
    "endpointslices.discovery.k8s.io": {"Ports": _slice_ports, "Endpoints": _slice_endpoints},
    "storageclasses.storage.k8s.io": {
        "AllowVolumeExpansion": lambda obj, _now: bool(obj.get("allowVolumeExpansion", False)),
    },
    "priorityclasses.scheduling.k8s.io": {
        "Global-Default": lambda obj, _now: bool(obj.get("globalDefault", False)),
    },
}


def _param(value: Any, first: str, second: str) -> str:
    if not value:
        return "<unset>"
    return "/".join(str(value[key]) for key in (first, second) if value.get(key))


CELLS: Mapping[tuple[str, str], Cell] = {
    (key, name): cell for key, cells in _BY_KIND.items() for name, cell in cells.items()
}
"""What fills a cell, by storage key and column."""
