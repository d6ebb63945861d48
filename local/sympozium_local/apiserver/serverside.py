"""Server-side apply: who owns which field, and what happens when two disagree."""

import json
from dataclasses import dataclass
from typing import Any

from sympozium_local.apiserver.fieldsets import (
    FieldSet,
    applied_fields,
    changes,
    difference,
    intersection,
    merged,
    outside,
    paths,
    remove,
    union,
    without_type_and_identity,
)
from sympozium_local.apiserver.patches import copied
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.shapes import Shape, shape_of_kind

_IDENTITY = frozenset({
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "generation",
    "managedFields",
    "resourceVersion",
})  # fmt: skip
"""What in the metadata nobody owns. Source: k8s.io/apimachinery util/managedfields."""

_KUBECTL = "kubectl"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MAX_UPDATERS = 10
_OLD_UPDATERS = "ancient-changes"


@dataclass(frozen=True)
class Conflict:
    """A field that someone else owns, with another value."""

    field: str
    message: str


class ApplyConflictError(Exception):
    """Others own fields that the applied object would change."""

    def __init__(self, conflicts: list[Conflict]) -> None:
        super().__init__(_conflict_text(conflicts))
        self.conflicts = conflicts


def _conflict_text(conflicts: list[Conflict]) -> str:
    if len(conflicts) == 1:
        return f"Apply failed with 1 conflict: {conflicts[0].message}: {conflicts[0].field}"
    lines: list[str] = []
    for message in sorted({one.message for one in conflicts}):
        lines.append(f"{message.replace('conflict with', 'conflicts with', 1)}:")
        lines += [f"- {one.field}" for one in conflicts if one.message == message]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)


def _shape(obj: Object, shape: Shape | None) -> Shape:
    return shape or shape_of_kind(obj.get("apiVersion", ""), obj.get("kind", ""))


def _owned_part(obj: Object) -> Object:
    return without_type_and_identity(obj, _IDENTITY)


def _entries(obj: Object | None) -> list[Object]:
    found = ((obj or {}).get("metadata") or {}).get("managedFields") or []
    return [entry for entry in found if entry.get("manager")]


def apply(
    current: Object | None,
    applied: Object,
    *,
    manager: str,
    force: bool,
    now: str,
    subresource: str = "",
    shape: Shape | None = None,
) -> Object:
    """Return *current* as *applied* wants it, with *manager* as the owner of what it says.

    What *manager* applied before and leaves out now is removed, unless others own it
    too. *shape* is that of a custom kind, from its schema; without it lists of custom
    kinds are owned as a whole.

    Raises:
        ApplyConflictError: others own what would change, and *force* is not set.
    """
    shape = _shape(applied, shape)
    wanted = _wanted(applied, subresource)
    entries = _entries(current)
    own = _find(entries, manager, "Apply", subresource)
    others = [entry for entry in entries if entry is not own]
    fields = applied_fields(_owned_part(wanted), shape) or None
    dropped = difference(own["fieldsV1"], fields) if own else None
    for entry in others:
        dropped = outside(dropped, entry["fieldsV1"])
    new: Object = copied(current or {})
    if dropped:
        _remove(new, dropped, shape)
    new = merged(new, wanted, shape)
    written, _ = changes(_owned_part(current or {}), _owned_part(new), shape)
    inherited = _applied_by_client(current or {}, shape) if manager == _KUBECTL else None
    if not force and (conflicts := _conflicts(others, difference(written, inherited))):
        raise ApplyConflictError(conflicts)
    others = _without(others, written)
    entry = _entry(manager, "Apply", applied["apiVersion"], fields, subresource)
    if own is not None and own["fieldsV1"] == fields and new == current:
        entry["time"] = own.get("time", now)
    else:
        entry["time"] = now
    _set_entries(new, [*others, entry] if fields is not None else others)
    return new


def _applied_by_client(current: Object, shape: Shape) -> FieldSet | None:
    """Return the fields that kubectl set by its older way of applying and nobody changed since.

    They are its own, whichever way it applies next.
    Source: k8s.io/apimachinery util/managedfields/internal/lastappliedmanager.go
    """
    annotations = (current.get("metadata") or {}).get("annotations") or {}
    try:
        last = json.loads(annotations.get(_LAST_APPLIED, ""))
    except ValueError:
        return None
    if not isinstance(last, dict) or last.get("apiVersion") != current.get("apiVersion"):
        return None
    changed, gone = changes(_owned_part(last), _owned_part(current), shape)
    return difference(applied_fields(_owned_part(last), shape) or None, union(changed, gone))


def _wanted(applied: Object, subresource: str) -> Object:
    wanted: Object = copied(applied)
    metadata = wanted.setdefault("metadata", {})
    metadata.pop("managedFields", None)
    if subresource:
        named = {key: metadata[key] for key in ("name", "namespace") if key in metadata}
        kept = {key: wanted[key] for key in ("apiVersion", "kind", subresource) if key in wanted}
        return {**kept, "metadata": named}
    return wanted


def _remove(obj: Object, fields: FieldSet, shape: Shape) -> None:
    for key, node in fields.items():
        name = key[2:]
        if name not in obj:
            continue
        left = remove(obj[name], node, shape.child(name))
        if left is None and name != "metadata":
            del obj[name]
        else:
            obj[name] = left if left is not None else {}


def _conflicts(entries: list[Object], written: FieldSet | None) -> list[Conflict]:
    return [
        Conflict(field, f"conflict with {_who(entry)}")
        for entry in entries
        for field in paths(intersection(entry["fieldsV1"], written))
    ]


def _who(entry: Object) -> str:
    who = f'"{entry["manager"]}"'
    if entry.get("subresource"):
        who += f' with subresource "{entry["subresource"]}"'
    if entry.get("operation") == "Update":
        who += f" using {entry.get('apiVersion')}"
    return who


NOBODYS: tuple[list[Object], ...] = ([], [{}])
"""By these `managedFields` a client says that nobody owns anything any more."""


def track_update(
    old: Object | None,
    new: Object,
    *,
    manager: str,
    now: str,
    subresource: str = "",
    shape: Shape | None = None,
) -> Object:
    """Return *new* with *manager* as the owner of what differs from *old*.

    The given object is changed. A client that sends an empty `managedFields` clears it.
    """
    metadata = new.setdefault("metadata", {})
    entries = _entries(old)
    if old is not None and metadata.get("managedFields") in NOBODYS:
        entries = []
    written, gone = changes(_owned_part(old or {}), _owned_part(new), _shape(new, shape))
    if written is None and gone is None:
        _set_entries(new, entries)
        return new
    own = _find(entries, manager, "Update", subresource)
    others = _without([one for one in entries if one is not own], union(written, gone))
    fields = union(difference(own["fieldsV1"], gone) if own else None, written)
    if fields is not None:
        entry = _entry(manager, "Update", new.get("apiVersion", ""), fields, subresource)
        entry["time"] = now if own is None or own["fieldsV1"] != fields else own.get("time", now)
        others.append(entry)
    _set_entries(new, _capped(others))
    return new


def _find(entries: list[Object], manager: str, operation: str, subresource: str) -> Object | None:
    for entry in entries:
        known = (entry["manager"], entry.get("operation"), entry.get("subresource", ""))
        if known == (manager, operation, subresource):
            return entry
    return None


def _entry(
    manager: str, operation: str, api_version: str, fields: FieldSet | None, subresource: str
) -> Object:
    entry: Object = {
        "manager": manager,
        "operation": operation,
        "apiVersion": api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    return {**entry, "subresource": subresource} if subresource else entry


def _without(entries: list[Object], fields: FieldSet | None) -> list[Object]:
    """Return the entries without *fields*, and without those that own nothing then."""
    left = [{**entry, "fieldsV1": difference(entry["fieldsV1"], fields)} for entry in entries]
    return [entry for entry in left if entry["fieldsV1"] is not None]


def _capped(entries: list[Object]) -> list[Object]:
    """Merge the oldest updaters into one, as there may be any number of names."""
    updaters = [one for one in entries if one["operation"] == "Update"]
    if len(updaters) <= _MAX_UPDATERS:
        return entries
    updaters.sort(key=lambda entry: str(entry.get("time")))
    oldest = updaters[: len(updaters) - _MAX_UPDATERS + 1]
    fields: FieldSet | None = None
    for entry in oldest:
        fields = union(fields, entry["fieldsV1"])
    last = oldest[-1]
    merged_entry = _entry(_OLD_UPDATERS, "Update", last["apiVersion"], fields, "")
    merged_entry["time"] = last.get("time")
    return [one for one in entries if one not in oldest] + [merged_entry]


def _set_entries(obj: Object, entries: list[Object]) -> None:
    metadata: dict[str, Any] = obj.setdefault("metadata", {})
    if entries:
        metadata["managedFields"] = sorted(entries, key=_order)
    else:
        metadata.pop("managedFields", None)


def _order(entry: Object) -> tuple[str, ...]:
    keys = ("operation", "time", "manager", "apiVersion", "subresource")
    return tuple(str(entry.get(key) or "") for key in keys)
