"""Sets of fields in the form of FieldsV1, and how values differ in such terms.

A set is a tree: `f:name` is a field, `k:{...}` an item by its keys, `v:...` an item by
its value. A node without children is itself in the set; with children it is only if it
has the child `.`. None is the empty set.
"""

import json
from collections.abc import Iterator
from typing import Any

from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.shapes import Shape

FieldSet = dict[str, Any]

_SELF = "."


class DuplicateKeyError(ValueError):
    """Two items of a list have the same keys, or a set has an item twice."""


_ONLY_SELF: FieldSet = {_SELF: {}}


def _compact(node: FieldSet) -> FieldSet:
    return {} if node.keys() == _ONLY_SELF.keys() else node


def union(one: FieldSet | None, other: FieldSet | None) -> FieldSet | None:
    """Return the fields in either set."""
    if one is None or other is None or one == other:
        return other if one is None else one
    both = dict(one or _ONLY_SELF)
    for key, node in (other or _ONLY_SELF).items():
        both[key] = union(both.get(key), node) if key != _SELF else node
    return _compact(both)


def difference(one: FieldSet | None, other: FieldSet | None) -> FieldSet | None:
    """Return the fields of *one* that are not in *other*."""
    if one is None or other is None:
        return one
    others = other or _ONLY_SELF
    left: FieldSet = {}
    for key, node in (one or _ONLY_SELF).items():
        if key not in others:
            left[key] = node
        elif key != _SELF and (rest := difference(node, others[key])) is not None:
            left[key] = rest
    return _compact(left) if left else None


def outside(one: FieldSet | None, other: FieldSet | None) -> FieldSet | None:
    """Return the fields of *one* that neither are in *other* nor hold a field that is."""
    if one is None or other is None:
        return one
    left: FieldSet = {}
    for key, node in one.items():
        if key not in other and key != _SELF:
            left[key] = node
        elif key != _SELF and (rest := outside(node, other[key])) is not None:
            left[key] = rest
    return left or None


def intersection(one: FieldSet | None, other: FieldSet | None) -> FieldSet | None:
    """Return the fields in both sets."""
    return difference(one, difference(one, other))


def paths(fields: FieldSet | None, path: str = "") -> Iterator[str]:
    """Yield the fields as messages write them: `.spec.containers[name="a"].image`."""
    if fields is None:
        return
    for key, node in (fields or _ONLY_SELF).items():
        if key == _SELF:
            yield path
        else:
            yield from paths(node, path + _step(key))


def _step(key: str) -> str:
    kind, _, text = key.partition(":")
    if kind == "f":
        return f".{text}"
    if kind == "k":
        pairs = (f"{name}={json.dumps(value)}" for name, value in json.loads(text).items())
        return f"[{','.join(pairs)}]"
    return f"[={text}]"


def item_key(item: Any, shape: Shape) -> str:
    """Return how an item of a keyed list or a set is named in field sets."""
    if shape.kind == "set":
        return f"v:{json.dumps(item, separators=(',', ':'))}"
    defaults = shape.key_defaults or {}
    keys = {key: item.get(key, defaults.get(key)) for key in sorted(shape.keys)}
    said = {key: value for key, value in keys.items() if value is not None}
    return f"k:{json.dumps(said, separators=(',', ':'))}"


def children(value: Any, shape: Shape) -> dict[str, tuple[Any, Shape]] | None:
    """Return the parts that a value is owned in, by key; None: it is owned as a whole."""
    if shape.kind == "map" and isinstance(value, dict):
        return {f"f:{key}": (item, shape.child(key)) for key, item in value.items()}
    if shape.kind in {"keyed", "set"} and isinstance(value, list):
        if shape.kind == "keyed" and not all(isinstance(item, dict) for item in value):
            return None
        return {item_key(item, shape): (item, shape.child("")) for item in value}
    return None


def applied_fields(value: Any, shape: Shape, path: str = "") -> FieldSet:
    """Return the fields that an applied value says something about.

    Raises:
        DuplicateKeyError: Its items cannot be told apart.
    """
    fields: FieldSet = {}
    if shape.kind in {"keyed", "set"} and isinstance(value, list):
        _require_unique(value, shape, path)
    for key, (item, child) in (children(value, shape) or {}).items():
        below = applied_fields(item, child, path + _step(key))
        fields[key] = {_SELF: {}, **below} if below and key[0] == "k" else below
    return fields


def _require_unique(items: list[Any], shape: Shape, path: str) -> None:
    seen: set[str] = set()
    for item in items:
        if shape.kind == "keyed" and not isinstance(item, dict):
            return
        key = item_key(item, shape)
        if key in seen:
            raise DuplicateKeyError(f"{path}: duplicate entries for key {_step(key)}")
        seen.add(key)


def _all_fields(value: Any, shape: Shape) -> FieldSet:
    """Return every field in a value, what holds others included."""
    fields: FieldSet = {
        key: _all_fields(item, child)
        for key, (item, child) in (children(value, shape) or {}).items()
    }
    return {_SELF: {}, **fields} if fields and not shape.is_implied else fields


def changes(old: Any, new: Any, shape: Shape) -> tuple[FieldSet | None, FieldSet | None]:
    """Return which fields are set anew, and which are gone."""
    before, after = children(old, shape), children(new, shape)
    if before is None or after is None:
        return {}, (_all_fields(old, shape) if before else None)
    written: FieldSet = {}
    gone: FieldSet = {}
    for key, (item, child) in after.items():
        known = before.get(key)
        if known is None:
            written[key] = _all_fields(item, child)
        elif known[0] != item:
            below, removed = changes(known[0], item, child)
            if below is not None:
                written[key] = below
            if removed is not None:
                gone[key] = removed
    for key, (item, child) in before.items():
        if key not in after:
            everything = _all_fields(item, child)
            gone[key] = {_SELF: {}, **everything} if everything else {}
    return written or None, gone or None


def merged(current: Any, applied: Any, shape: Shape) -> Any:
    """Return *current* with what *applied* says; *current* is changed."""
    parts = children(applied, shape)
    if parts is None or not isinstance(current, type(applied)):
        return applied
    if isinstance(current, dict):
        for key, item in applied.items():
            current[key] = merged(current[key], item, shape.child(key)) if key in current else item
        return current
    return _merged_list(current, list(parts), applied, shape)


def _merged_list(
    current: list[Any], keys: list[str], applied: list[Any], shape: Shape
) -> list[Any]:
    """Return the items of both lists: in the order of *applied*, others where they stood.

    Source: sigs.k8s.io/structured-merge-diff typed/merge.go, visitListItems.
    """
    old_keys = list(children(current, shape) or ())
    old = dict(zip(old_keys, current, strict=True))
    new = dict(zip(keys, applied, strict=True))
    shared = [key for key in keys if key in old]
    result: list[Any] = []
    done: set[str] = set()
    left, right = 0, 0
    while left < len(old_keys) or right < len(keys):
        key = old_keys[left] if left < len(old_keys) else None
        is_next = right < len(keys) and key == keys[right]
        if key is not None and not is_next and key not in new:
            result.append(old[key])
            left += 1
        elif key is not None and not is_next and (key in done or (shared and shared[0] != key)):
            left += 1
        else:
            wanted = keys[right]
            item = new[wanted]
            if wanted in old:
                item = merged(old[wanted], item, shape.child(""))
                shared.pop(0)
            result.append(item)
            done.add(wanted)
            right += 1
            left += is_next
    return result


def remove(value: Any, fields: FieldSet, shape: Shape) -> Any:
    """Take *fields* out of *value*, which is changed, and what is empty by that.

    Returns:
        The value, or None if nothing is left.
    """
    parts = children(value, shape)
    if not fields or parts is None:
        return None
    kept: list[Any] = []
    for key, (item, child) in parts.items():
        left = item
        if key in fields:
            node = fields[key]
            left = None if not node or _SELF in node else remove(item, node, child)
        if isinstance(value, list):
            kept += [left] if left is not None else []
        elif left is None:
            del value[key[2:]]
        else:
            value[key[2:]] = left
    if isinstance(value, list):
        value[:] = kept
    return value or None


def without_type_and_identity(obj: Object, identity: frozenset[str]) -> Object:
    """Return the part of an object that has owners."""
    rest = {key: value for key, value in obj.items() if key not in {"apiVersion", "kind"}}
    metadata = obj.get("metadata") or {}
    rest["metadata"] = {key: value for key, value in metadata.items() if key not in identity}
    if not rest["metadata"]:
        del rest["metadata"]
    return rest
