"""Rules of built-in kinds about values that fit their types but make no sense together.

A manifest that breaks one of them would be refused by any real cluster, so it is refused here,
where its author meets it first.
"""

import ipaddress
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sympozium.contract.errors import PermanentError
from sympozium_local.apiserver.field_errors import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
)
from sympozium_local.apiserver.resource import Object
from sympozium_local.kubelet.quantity import parse_quantity

Found = Iterator[FieldError]

_MAX_INT32 = 2**31 - 1
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_NO_GRPC = "this cluster does not support it yet; use exec, httpGet or tcpSocket"
_ROLES = ("Role", "ClusterRole")
_NOT_NEGATIVE = "must be greater than or equal to 0"


def check_container(path: str, container: Object) -> Found:
    """Yield what is wrong with the resources, probes and rights of a container."""
    yield from _resources(f"{path}.resources", container.get("resources") or {})
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is None:
            continue
        if not any(handler in probe for handler in _HANDLERS):
            yield required(f"{path}.{name}", "must specify a handler type")
        if "grpc" in probe:
            yield forbidden(f"{path}.{name}.grpc", _NO_GRPC)
    context = container.get("securityContext") or {}
    yield from check_user(f"{path}.securityContext", context)
    if context.get("privileged") and context.get("allowPrivilegeEscalation") is False:
        why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        yield invalid(f"{path}.securityContext", context, why)


def _resources(path: str, resources: Object) -> Found:
    amounts: dict[str, dict[str, Decimal]] = {"limits": {}, "requests": {}}
    for part, known in amounts.items():
        for name, text in (resources.get(part) or {}).items():
            amount = _quantity(text)
            if amount is not None and amount < 0:
                yield invalid(f"{path}.{part}[{name}]", str(text), _NOT_NEGATIVE)
            elif amount is not None:
                known[name] = amount
    limits = resources.get("limits") or {}
    for name, amount in amounts["requests"].items():
        if amount > amounts["limits"].get(name, amount):
            why = f"must be less than or equal to {name} limit of {limits[name]}"
            yield invalid(f"{path}.requests", str(resources["requests"][name]), why)


def _quantity(text: Any) -> Decimal | None:
    try:
        return parse_quantity(text)
    except PermanentError:
        return None  # what it must look like is said by its type


def check_user(path: str, context: Object) -> Found:
    """Yield what is wrong with the numbers of a security context."""
    for name in ("runAsUser", "runAsGroup", "fsGroup"):
        number = context.get(name)
        if number is not None and not 0 <= number <= _MAX_INT32:
            yield invalid(
                f"{path}.{name}", number, f"must be between 0 and {_MAX_INT32}, inclusive"
            )


def check_strategy(path: str, strategy: Object) -> Found:
    """Yield what is wrong with how a Deployment replaces its pods."""
    rolling = strategy.get("rollingUpdate")
    if strategy.get("type") == "Recreate" and rolling is not None:
        why = "may not be specified when strategy `type` is 'Recreate'"
        yield forbidden(f"{path}.rollingUpdate", why)
    elif rolling and {rolling.get("maxSurge"), rolling.get("maxUnavailable")} <= {0, "0", "0%"}:
        yield invalid(
            f"{path}.rollingUpdate.maxUnavailable", 0, "may not be 0 when `maxSurge` is 0"
        )


def check_failure_policy(path: str, policy: Object) -> Found:
    """Yield what is wrong with the rules by which a Job judges failed pods."""
    for index, rule in enumerate(policy.get("rules") or ()):
        if bool(rule.get("onExitCodes")) == bool(rule.get("onPodConditions")):
            both = "specifying both OnExitCodes and OnPodConditions is not supported"
            none = "specifying one of OnExitCodes and OnPodConditions is required"
            why = both if rule.get("onExitCodes") else none
            yield FieldError(f"{path}.rules[{index}]", "FieldValueInvalid", f"Invalid value: {why}")


def check_ports(path: str, ports: list[Object]) -> Found:
    """Yield the ports of a Service that have the name of another."""
    seen: set[str] = set()
    for index, port in enumerate(ports):
        name = port.get("name")
        if name and name in seen:
            yield duplicate(f"{path}[{index}].name", name)
        seen.add(name or "")


def check_binding(binding: Object) -> Found:
    """Yield what is wrong with whom a binding gives what."""
    kind = (binding.get("roleRef") or {}).get("kind")
    kinds = ("ClusterRole",) if binding.get("kind") == "ClusterRoleBinding" else _ROLES
    if kind not in kinds:
        yield not_supported("roleRef.kind", kind, kinds)
    subjects = ("ServiceAccount", "User", "Group")
    for index, subject in enumerate(binding.get("subjects") or ()):
        if subject.get("kind") not in subjects:
            yield not_supported(f"subjects[{index}].kind", subject.get("kind"), subjects)


def check_role(role: Object) -> Found:
    """Yield what is wrong with the rules of a role."""
    for index, rule in enumerate(role.get("rules") or ()):
        path = f"rules[{index}]"
        urls = rule.get("nonResourceURLs")
        if urls and role.get("kind") == "Role":
            why = "namespaced rules cannot apply to non-resource URLs"
            yield invalid(f"{path}.nonResourceURLs", urls, why)
        elif not urls and not rule.get("apiGroups"):
            why = "resource rules must supply at least one api group"
            yield required(f"{path}.apiGroups", why)
        elif not urls and not rule.get("resources"):
            why = "resource rules must supply at least one resource"
            yield required(f"{path}.resources", why)


def check_network_policy(policy: Object) -> Found:
    """Yield the peers of a NetworkPolicy that are none."""
    spec: Object = policy.get("spec") or {}
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            for place, peer in enumerate((rule or {}).get(side) or ()):
                yield from _peer(f"spec.{direction}[{index}].{side}[{place}]", peer)


def _peer(path: str, peer: Object) -> Found:
    if not peer:
        yield required(path, "must specify a peer")
    block = peer.get("ipBlock")
    if block is not None and not _is_network(block.get("cidr", "")):
        why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        yield invalid(f"{path}.ipBlock.cidr", block.get("cidr", ""), why)


def _is_network(text: str) -> bool:
    try:
        return "/" in text and bool(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return False


def check_lease(lease: Object) -> Found:
    """Yield what is wrong with the times of a Lease."""
    seconds = (lease.get("spec") or {}).get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        yield invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")


def check_event(event: Object) -> Found:
    """Yield what is wrong with where an Event lies."""
    namespace = (event.get("involvedObject") or {}).get("namespace")
    if namespace and namespace != event["metadata"].get("namespace"):
        why = "does not match event.namespace"
        yield invalid("involvedObject.namespace", namespace, why)
