"""Strategic merge patches: merge patches that know the lists of built-in kinds.

Lists of objects are merged item by item, told apart by a merge key; directives in
the patch delete items, replace parts, and say in which order items shall stand.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sympozium_local.apiserver.fields import Field, is_message, json_fields
from sympozium_local.apiserver.resource import Object

_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"
_RETAIN = "$retainKeys"
_PATCH = "$patch"


class StrategicPatchError(ValueError):
    """The patch breaks the rules of strategic merge patches."""


def strategic_merge(current: Object, patch: Object, message: str | None) -> Object:
    """Return *current* merged with *patch*; both are used up.

    *message* is the type of the object in the table of fields, None that of any map.

    Raises:
        StrategicPatchError: an unknown directive, or an item without its merge key.
    """
    directive = patch.pop(_PATCH, "merge")
    if directive == "replace":
        return patch
    if directive == "delete":
        return {}
    if directive != "merge":
        raise StrategicPatchError(f"unknown patch type {directive!r} found in the patch")
    fields: Mapping[str, Field] = json_fields(message) if message else {}
    retained = patch.pop(_RETAIN, None)
    if retained is not None:
        current = {key: value for key, value in current.items() if key in retained}
    orders = {key[len(_ORDER) :]: value for key, value in patch.items() if key.startswith(_ORDER)}
    for key, value in patch.items():
        if key.startswith(_DELETE):
            _delete_from(current, key[len(_DELETE) :], value)
        elif not key.startswith(_ORDER):
            _merge_field(current, key, value, fields.get(key))
    for key, order in orders.items():
        if isinstance(current.get(key), list) and isinstance(order, list):
            current[key] = _ordered(current[key], order, _merge_key(fields.get(key)))
    return current


def _merge_key(field: Field | None) -> str:
    return field.merge_key if field else ""


def _child(field: Field | None) -> str | None:
    return field.type if field and is_message(field.type) else None


def _delete_from(current: Object, key: str, values: Any) -> None:
    if isinstance(current.get(key), list):
        current[key] = [item for item in current[key] if item not in values]


def _merge_field(current: Object, key: str, value: Any, field: Field | None) -> None:
    before = current.get(key)
    if value is None:
        current.pop(key, None)
    elif isinstance(value, dict):
        is_map = field is not None and field.shape == "map"
        if _PATCH in value and (before is None or (is_map and value[_PATCH] == "delete")):
            current.pop(key, None)  # a directive for what is not there drops the whole part
            return
        before = before if isinstance(before, dict) else {}
        if is_map and _child(field):
            for name, item in value.items():
                _merge_field(before, name, item, _item_of(field))
            current[key] = before
        else:
            current[key] = strategic_merge(before, value, _child(field))
    elif isinstance(value, list) and field and "merge" in field.patch:
        current[key] = _merge_list(before if isinstance(before, list) else [], value, field)
    else:
        current[key] = value


def _item_of(field: Field | None) -> Field | None:
    """Return a field like *field* that holds one item of its map."""
    return replace(field, shape="one") if field else None


def _merge_list(current: list[Any], patch: list[Any], field: Field) -> list[Any]:
    if not field.merge_key:
        merged = current + [item for item in patch if item not in current]
        return _interleaved(
            merged, [_frozen(one) for one in patch], list(map(_frozen, current)), field
        )
    if any(isinstance(item, dict) and item.get(_PATCH) == "replace" for item in patch):
        return [item for item in patch if _PATCH not in item]
    merged = list(current)
    for item in patch:
        index = _index(merged, _key_of(item, field.merge_key), field.merge_key)
        if item.get(_PATCH) == "delete":
            if index is not None:
                del merged[index]
        elif index is None:
            merged.append(strategic_merge({}, item, _child(field)))
        else:
            merged[index] = strategic_merge(merged[index], item, _child(field))
    named = [_name(item, field.merge_key) for item in patch]
    return _interleaved(merged, named, [_name(one, field.merge_key) for one in current], field)


def _interleaved(merged: list[Any], named: list[Any], before: list[Any], field: Field) -> list[Any]:
    """Put what the patch names in its order, and before others that it did not stand behind.

    Source: mergeSortedSlice in k8s.io/apimachinery/pkg/util/strategicpatch.
    """
    key = field.merge_key
    ours = [item for item in merged if _name(item, key) in named]
    ours.sort(key=lambda item: named.index(_name(item, key)))
    others = [item for item in merged if _name(item, key) not in named]
    result: list[Any] = []
    while ours and others:
        names = _name(others[0], key), _name(ours[0], key)
        is_before = all(name in before for name in names) and (
            before.index(names[0]) < before.index(names[1])
        )
        result.append((others if is_before else ours).pop(0))
    return result + ours + others


def _name(item: Any, merge_key: str) -> Any:
    return _frozen(item.get(merge_key) if merge_key and isinstance(item, dict) else item)


def _key_of(item: Any, merge_key: str) -> Any:
    if not isinstance(item, dict) or merge_key not in item:
        raise StrategicPatchError(f"an item does not contain its declared merge key: {merge_key}")
    return item[merge_key]


def _index(items: list[Any], value: Any, merge_key: str) -> int | None:
    for index, item in enumerate(items):
        if isinstance(item, dict) and item.get(merge_key) == value:
            return index
    return None


def _ordered(items: list[Any], order: list[Any], merge_key: str) -> list[Any]:
    """Put *items* in *order*; those it does not name stay before what they stood before."""

    def name(item: Any) -> Any:
        return item.get(merge_key) if merge_key and isinstance(item, dict) else item

    places = {_frozen(name(item)): place for place, item in enumerate(order)}
    named = [item for item in items if _frozen(name(item)) in places]
    named.sort(key=lambda item: places[_frozen(name(item))])
    others = [item for item in items if _frozen(name(item)) not in places]
    before = {_frozen(name(item)): index for index, item in enumerate(items)}
    merged: list[Any] = []
    for item in named:
        while others and before[_frozen(name(others[0]))] < before[_frozen(name(item))]:
            merged.append(others.pop(0))
        merged.append(item)
    return merged + others


def _frozen(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else repr(value)
