"""Which writes a webhook or an admission policy is about, and how both see a write."""

from collections.abc import Iterable
from dataclasses import dataclass

from sympozium_local.apiserver.registry import Registry, Served
from sympozium_local.apiserver.request import Call
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.selectors import matches_labels
from sympozium_local.apiserver.store import Store

GROUP = "admissionregistration.k8s.io"
MUTATING = f"mutatingwebhookconfigurations.{GROUP}"
VALIDATING = f"validatingwebhookconfigurations.{GROUP}"
POLICIES = f"validatingadmissionpolicies.{GROUP}"
BINDINGS = f"validatingadmissionpolicybindings.{GROUP}"

EXEMPT = frozenset({MUTATING, VALIDATING, POLICIES, BINDINGS})
"""What no webhook and no policy is asked about, or a broken one could not be removed.

Source: IsExemptAdmissionConfigurationResource in k8s.io/apiserver.
"""


@dataclass(frozen=True)
class Write:
    """One write, in the version that its judge asks for.

    Attributes:
        obj: As it shall be; None: it is deleted.
        old: As it is; None: it is created.
    """

    call: Call
    served: Served
    obj: Object | None
    old: Object | None

    @property
    def operation(self) -> str:
        """Return CREATE, UPDATE or DELETE."""
        if self.obj is None:
            return "DELETE"
        return "CREATE" if self.old is None else "UPDATE"

    @property
    def either(self) -> Object:
        """Return the object, or the one that is deleted."""
        either = self.obj if self.obj is not None else self.old
        assert either is not None  # noqa: S101 - a write has an object before or after
        return either

    def seen_as(self, served: Served) -> "Write":
        """Return it in another version of its kind."""
        if served is self.served:
            return self
        version = {"apiVersion": served.resource.api_version}
        obj = None if self.obj is None else {**self.obj, **version}
        old = None if self.old is None else {**self.old, **version}
        return Write(self.call, served, obj, old)

    def request(self) -> Object:
        """Return what an AdmissionReview says about the write, without the object itself."""
        call, resource, asked = self.call, self.served.resource, self.call.served.resource
        group, _, version = self.either.get("apiVersion", "").rpartition("/")
        kind = {"group": group, "version": version, "kind": self.either.get("kind", "")}
        plural = {"group": resource.group, "version": resource.version, "resource": resource.plural}
        options: Object = {
            "kind": f"{self.operation.title()}Options",
            "apiVersion": "meta.k8s.io/v1",
        }
        if call.is_dry_run:
            options["dryRun"] = ["All"]
        said = ("fieldManager", "fieldValidation")
        options |= {field: call.query[field] for field in said if call.query.get(field)}
        request: Object = {
            "kind": kind,
            "resource": plural,
            "requestKind": {**kind, "version": asked.version},
            "requestResource": {**plural, "version": asked.version},
            "name": call.name or self.either["metadata"].get("name", ""),
            "operation": self.operation,
            "userInfo": call.user.as_object(),
            "dryRun": call.is_dry_run,
            "options": options,
        }
        if call.namespace:
            request["namespace"] = call.namespace
        if call.subresource:
            request["subResource"] = request["requestSubResource"] = call.subresource
        return request


class Matcher:
    """Compares writes with rules and selectors."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    def by_rules(self, write: Write, rules: Iterable[Object], *, is_exact: bool) -> Served | None:
        """Return in which version of its kind *rules* name the write; None: in none."""
        versions = [write.served]
        if not is_exact:
            others = self._registry.versions(write.served.key)
            versions += [one for one in others if one is not write.served]
        listed = list(rules)
        for served in versions:
            for rule in listed:
                if _names(rule, served, write.operation, write.call.subresource):
                    return served
        return None

    def by_selectors(self, write: Write, where: Object) -> bool:
        """Tell whether the selectors for objects and namespaces in *where* select the write."""
        if write.served.key in EXEMPT:
            return False
        states = [state for state in (write.obj, write.old) if state is not None]
        selector = where.get("objectSelector")
        if not any(matches_labels(selector, _labels(one)) for one in states):
            return False  # taking a label away is still seen
        selector = where.get("namespaceSelector")
        if not selector:
            return True
        if write.served.key == "namespaces":
            return matches_labels(selector, _labels(states[0]))
        if not write.call.namespace:
            return True
        return matches_labels(selector, _labels(self.namespace(write) or {"metadata": {}}))

    def namespace(self, write: Write) -> Object | None:
        """Return the Namespace that the write is in, if it is in one."""
        if not write.served.resource.namespaced:
            return None
        row = self._store.get("namespaces", "", write.call.namespace)
        return row.object() if row else None


def _labels(obj: Object) -> Object:
    labels: Object = obj["metadata"].get("labels") or {}
    return labels


def _names(rule: Object, served: Served, operation: str, subresource: str) -> bool:
    resource = served.resource
    full = f"{resource.plural}/{subresource}" if subresource else resource.plural
    patterns = {full, "*/*"}
    patterns |= {f"{resource.plural}/*", f"*/{subresource}"} if subresource else {
        "*", f"{resource.plural}/*"
    }  # fmt: skip
    scope = rule.get("scope") or "*"
    return (
        bool({"*", operation} & set(rule.get("operations") or ()))
        and bool({"*", resource.group} & set(rule.get("apiGroups") or ()))
        and bool({"*", resource.version} & set(rule.get("apiVersions") or ()))
        and bool(patterns & set(rule.get("resources") or ()))
        and scope in {"*", "Namespaced" if resource.namespaced else "Cluster"}
    )
