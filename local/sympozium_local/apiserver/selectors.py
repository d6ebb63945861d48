"""Label and field selectors, answered by SQL for lists and in memory for watches.

Both look at an object's *facets*: its labels, and the values of the fields that
its kind allows to select by. A field's name starts with a dot, a label's never does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sympozium_local.apiserver.errors import bad_request
from sympozium_local.apiserver.label_selectors import LabelSelectorError, parse_labels
from sympozium_local.apiserver.resource import ApiResource, Object

Facets = Mapping[str, str]

NAME, NAMESPACE = ".metadata.name", ".metadata.namespace"

_POD = ("nodeName", "restartPolicy", "schedulerName", "serviceAccountName", "hostNetwork")
_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_EVENT = (
    *(f".involvedObject.{field}" for field in _INVOLVED),
    ".reason",
    ".reportingComponent",
    ".source",
    ".type",
)
BUILTIN_FIELDS: Mapping[str, tuple[str, ...]] = {
    "pods": (*(f".spec.{field}" for field in _POD), ".status.phase", ".status.podIP"),
    "events": _EVENT,
    "secrets": (".type",),
    "services": (".spec.clusterIP", ".spec.type"),
    "namespaces": (".status.phase",),
    "nodes": (".spec.unschedulable",),
    "jobs.batch": (".status.successful",),
}
"""Fields to select by, apart from name and namespace.

Source: the AddFieldLabelConversionFunc tables in kubernetes/pkg/apis.
"""

_BOOLEANS = frozenset({".spec.hostNetwork", ".spec.unschedulable"})
"""Fields that are false where they are not said."""

_COMPARED = {"above": ">", "below": "<"}
_HAS = "SELECT 1 FROM facets WHERE object=id AND facet=?"  # one key look-up
_WITH = "SELECT object FROM facets WHERE facet=?"


@dataclass(frozen=True)
class Requirement:
    """One condition on one facet.

    *op* is `in`, `notin`, `exists` or `absent`, or `above` or `below` for numbers.
    """

    facet: str
    op: str
    values: tuple[str, ...] = ()

    def matches(self, value: str | None) -> bool:
        """Tell whether an object whose facet has *value* (None: has no such) is selected."""
        if self.op == "in":
            return value in self.values
        if self.op == "notin":
            return value not in self.values
        if self.op in _COMPARED:
            if value is None or not value.isdigit():
                return False
            number, limit = int(value), int(self.values[0])
            return number > limit if self.op == "above" else number < limit
        return (value is not None) == (self.op == "exists")


@dataclass(frozen=True)
class Selector:
    """All conditions of one request. An empty one selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.requirements)

    def matches(self, facets: Facets, namespace: str, name: str) -> bool:
        """Tell whether an object is selected."""
        for requirement in self.requirements:
            if requirement.facet == NAME:
                value: str | None = name
            elif requirement.facet == NAMESPACE:
                value = namespace
            else:
                value = facets.get(requirement.facet)
            if not requirement.matches(value):
                return False
        return True

    @property
    def is_narrow(self) -> bool:
        """Tell whether an index of facets leads to what is selected."""
        return any(
            one.op not in {"notin", "absent"} and one.facet not in {NAME, NAMESPACE}
            for one in self.requirements
        )

    def where(self) -> tuple[str, list[str]]:
        """Return the SQL conditions (each starts with AND) and their parameters."""
        sql: list[str] = []
        parameters: list[str] = []
        for one in self.requirements:
            marks = ",".join("?" * len(one.values))
            negation = "NOT " if one.op in {"notin", "absent"} else ""
            if one.facet in {NAME, NAMESPACE}:
                sql.append(f" AND {one.facet.rpartition('.')[2]} {negation}IN ({marks})")
                parameters += one.values
                continue
            of_value = f" AND value IN ({marks})" if one.values else ""
            if sign := _COMPARED.get(one.op):
                number = "CAST(value AS INTEGER)"
                of_value = f" AND value NOT GLOB '*[^0-9]*' AND {number} {sign} CAST(? AS INTEGER)"
            if negation:
                sql.append(f" AND NOT EXISTS ({_HAS}{of_value})")
            else:
                sql.append(f" AND id IN ({_WITH}{of_value})")
            parameters += (one.facet, *one.values)
        return "".join(sql), parameters


EVERYTHING = Selector()


def parse(labels: str, fields: str, resource: ApiResource, allowed: Iterable[str]) -> Selector:
    """Return the selector of a request's `labelSelector` and `fieldSelector`.

    Raises:
        ApiError: 400, it cannot be read or names a field that is not selectable.
    """
    try:
        found = [Requirement(*one) for one in parse_labels(labels)]
    except LabelSelectorError as error:
        raise bad_request(str(error)) from error
    known = {NAME, *allowed, *([NAMESPACE] if resource.namespaced else [])}
    for part in fields.split(","):
        if not part:
            continue
        requirement = _field_requirement(part)
        if requirement.facet not in known:
            raise bad_request(_unknown_field(requirement.facet[1:], resource))
        found.append(requirement)
    return Selector(tuple(found))


def _unknown_field(field: str, resource: ApiResource) -> str:
    if resource.is_builtin and resource.storage_key not in BUILTIN_FIELDS:
        only = '"metadata.name"' + (', "metadata.namespace"' if resource.namespaced else "")
        return f'"{field}" is not a known field selector: only {only}'
    return f"field label not supported: {field}"


def _field_requirement(text: str) -> Requirement:
    for mark, op in (("!=", "notin"), ("==", "in"), ("=", "in")):
        name, found, value = text.partition(mark)
        if found:
            return Requirement(f".{name}", op, (value,))
    raise bad_request(f"invalid selector: '{text}'; can't understand '{text}'")


def matches_labels(selector: Object | None, labels: Mapping[str, str]) -> bool:
    """Tell whether a LabelSelector object (absent or empty: everything) selects *labels*."""
    if not selector:
        return True
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    ops = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
    return all(
        Requirement(one["key"], ops[one["operator"]], tuple(one.get("values") or ())).matches(
            labels.get(one["key"])
        )
        for one in selector.get("matchExpressions", [])
    )


def facets_of(obj: Object, fields: Iterable[str]) -> dict[str, str]:
    """Return what *obj* can be selected by: its labels and the values of *fields*."""
    facets: dict[str, str] = dict(obj["metadata"].get("labels") or {})
    for field in fields:
        facets[field] = _text(_value_at(obj, field)) or ("false" if field in _BOOLEANS else "")
    return facets


def _value_at(obj: Any, path: str) -> Any:
    for step in path[1:].split("."):
        obj = obj.get(step) if isinstance(obj, dict) else None
    return obj


def _text(value: Any) -> str:
    if isinstance(value, dict):  # an Event's `source` selects by its component
        value = value.get("component")
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
