"""CustomResourceDefinitions: what they make the server serve, and their own status."""

import hashlib
from typing import Any

from sympozium_local.apiserver import crd_rules
from sympozium_local.apiserver.registry import Registry, Served
from sympozium_local.apiserver.resource import ApiResource, Column, Object
from sympozium_local.apiserver.schema import CompiledSchema
from sympozium_local.apiserver.store import DELETED, Change, Store, encode

KEY = "customresourcedefinitions.apiextensions.k8s.io"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that keeps a CRD until its objects are gone."""

_NOT_ALL_ACCEPTED = "not all names are accepted"

Causes = list[tuple[str, str, str]]

_AGE = Column("Age", "date", ".metadata.creationTimestamp")


def prepare(crd: Object, now: str, registry: Registry) -> None:
    """Fill in what the server says about a CRD: default names, conditions, finalizer."""
    spec, metadata = crd["spec"], crd["metadata"]
    names = spec.setdefault("names", {})
    names.setdefault("singular", str(names.get("kind", "")).lower())
    names.setdefault("listKind", f"{names.get('kind', '')}List")
    spec.setdefault("conversion", {"strategy": "None"})
    if not metadata.get("deletionTimestamp") and CLEANUP not in metadata.get("finalizers", ()):
        metadata["finalizers"] = [*metadata.get("finalizers", ()), CLEANUP]
    status = crd.setdefault("status", {})
    taken = _taken(crd, registry)
    accepted = not taken
    _condition(
        status,
        now,
        {
            "type": "NamesAccepted",
            "status": str(accepted),
            "reason": "NoConflicts" if accepted else "ListKindConflict",
            "message": taken or "no conflicts found",
        },
    )
    _condition(
        status,
        now,
        {
            "type": "Established",
            "status": str(accepted),
            "reason": "InitialNamesAccepted" if accepted else "NotAccepted",
            "message": ("the initial names have been accepted" if accepted else _NOT_ALL_ACCEPTED),
        },
    )
    if accepted:
        status["acceptedNames"] = dict(names)
    stored = status.setdefault("storedVersions", [])
    stored += [
        one["name"]
        for one in spec.get("versions", ())
        if one.get("storage") and one["name"] not in stored
    ]


def _taken(crd: Object, registry: Registry) -> str:
    spec = crd["spec"]
    kind = spec["names"]["kind"]
    if registry.key_of(spec["group"], kind) in {"", crd["metadata"]["name"]}:
        return ""
    return f'"{kind}List" is already in use'


def _condition(status: Object, now: str, condition: Object) -> None:
    conditions = status.setdefault("conditions", [])
    for old in conditions:
        if old["type"] == condition["type"]:
            if old["status"] != condition["status"]:
                old.update(condition, lastTransitionTime=now)
            return
    conditions.append({**condition, "lastTransitionTime": now})


def check(crd: Object) -> Causes:
    """Return what is wrong with a CRD, its schemas and rules included."""
    spec: Object = crd.get("spec") or {}
    names: Object = spec.get("names") or {}
    wrong: Causes = [
        (f"spec.{path}", "FieldValueRequired", "Required value")
        for path, value in (
            ("group", spec.get("group")),
            ("names.plural", names.get("plural")),
            ("names.kind", names.get("kind")),
            ("versions", spec.get("versions")),
        )
        if not value
    ]
    if wrong:
        return wrong
    expected = f"{names['plural']}.{spec['group']}"
    if crd["metadata"].get("name") != expected:
        wrong.append(
            _bad("metadata.name", crd["metadata"].get("name"), 'must be spec.names.plural+"."'
                 '+spec.group')
        )  # fmt: skip
    wrong += [(one.field, one.reason, one.message) for one in crd_rules.check_names(names)]
    if spec.get("scope") not in {"Namespaced", "Cluster"}:
        supported = 'supported values: "Cluster", "Namespaced"'
        message = f'Unsupported value: "{spec.get("scope", "")}": {supported}'
        wrong.append(("spec.scope", "FieldValueNotSupported", message))
    if spec.get("conversion", {}).get("strategy", "None") != "None":
        message = "conversion by webhook is not served; only None is"
        wrong.append(("spec.conversion.strategy", "FieldValueNotSupported", message))
    if sum(bool(one.get("storage")) for one in spec["versions"]) != 1:
        message = "must have exactly one version marked as storage version"
        wrong.append(_bad("spec.versions", "", message))
    return wrong + [
        cause
        for index, version in enumerate(spec["versions"])
        for cause in (
            *(
                (one.field, one.reason, one.message)
                for one in crd_rules.check_version(index, version)
            ),
            *_check_version(f"spec.versions[{index}]", version),
        )
    ]


def _check_version(path: str, version: Object) -> Causes:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    path = f"{path}.schema.openAPIV3Schema"
    if not schema:
        return [(path, "FieldValueRequired", "Required value")]
    try:
        CompiledSchema(schema)
    except ValueError as error:
        return [(path, "FieldValueInvalid", f"Invalid value: {error}")]
    return []


def check_change(new: Object, old: Object) -> Causes:
    """Return what a change of a CRD may not do."""
    return [(one.field, one.reason, one.message) for one in crd_rules.check_change(new, old)]


def _bad(path: str, value: Any, why: str) -> tuple[str, str, str]:
    return path, "FieldValueInvalid", f'Invalid value: "{value}": {why}'


def served_kinds(crd: Object) -> list[Served]:
    """Return what a valid CRD makes the server serve, one entry a version."""
    accepted = any(
        one["type"] == "Established" and one["status"] == "True"
        for one in crd.get("status", {}).get("conditions", ())
    )
    if not accepted:
        return []
    return [
        _served(crd["spec"], version) for version in crd["spec"]["versions"] if version["served"]
    ]


def _served(spec: Object, version: Object) -> Served:
    names = spec["names"]
    schema = version["schema"]["openAPIV3Schema"]
    subresources = version.get("subresources") or {}
    columns = tuple(
        Column(
            one["name"],
            one["type"],
            one["jsonPath"],
            one.get("priority", 0),
            one.get("description")
            or f"Custom resource definition column (in JSONPath format): {one['jsonPath']}",
        )
        for one in version.get("additionalPrinterColumns") or ()
    )
    resource = ApiResource(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        singular=names["singular"],
        kind=names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=frozenset(subresources),
        columns=columns or (_AGE,),
        is_builtin=False,
    )
    digest = hashlib.blake2s(encode([resource.api_version, schema]), digest_size=8)
    return Served(
        resource=resource,
        shape=digest.hexdigest(),
        fields=tuple(one["jsonPath"] for one in version.get("selectableFields") or ()),
        list_kind=names["listKind"],
        is_stored=bool(version["storage"]),
        schema=CompiledSchema(schema),
        openapi=schema,
        scale=subresources.get("scale"),
        deprecation=_deprecation(resource, version),
    )


def _deprecation(resource: ApiResource, version: Object) -> str:
    if not version.get("deprecated"):
        return ""
    said = version.get("deprecationWarning")
    return str(said) if said else f"{resource.api_version} {resource.kind} is deprecated"


def follow(registry: Registry, store: Store, change: Change) -> None:
    """Serve what a committed change of a CRD says."""
    if change.key != KEY:
        return
    crd = change.object()
    before = registry.stored(change.name)
    registry.install(change.name, [] if change.type == DELETED else served_kinds(crd))
    after = registry.stored(change.name)
    if before is not None and after is not None and before.fields != after.fields:
        objects = [(row, after.read(row)) for row in store.select(change.name)]
        store.index_anew([(row, obj, after.facets(obj)) for row, obj in objects])
