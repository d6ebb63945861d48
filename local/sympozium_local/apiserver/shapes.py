"""How values may be owned in part: which maps and lists are taken apart, and how.

Server-side apply names the owner of each field. A map is owned key by key unless it
is atomic; a list is owned as a whole unless its items have keys, or are a set.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sympozium_local.apiserver.fields import (
    Field,
    is_message,
    json_fields,
    message_of,
)
from sympozium_local.apiserver.resource import Object

_METADATA = "apimachinery.pkg.apis.meta.v1.ObjectMeta"


@dataclass(frozen=True, eq=False)
class Shape:
    """How one value is owned.

    Attributes:
        kind: `map` (by key), `keyed` (a list of items with keys), `set`, or `atomic`.
        keys: What tells the items of a keyed list apart.
        child: Returns the shape of a field, or of any item.
        is_implied: The value exists whatever is said of it, so nobody owns its existence.
        key_defaults: What a key is if an item does not say it.
    """

    kind: str
    child: Callable[[str], "Shape"]
    keys: tuple[str, ...] = ()
    is_implied: bool = False
    key_defaults: Mapping[str, Any] | None = None


def _guessed(_key: str) -> "Shape":
    return ANY


ANY = Shape("map", _guessed)
"""A value of which nothing is known: maps by key, lists as a whole."""

ATOMIC = Shape("atomic", _guessed)


@cache
def _message_shape(message: str, is_implied: bool = False) -> Shape:
    fields = json_fields(message)
    return Shape("map", cache(lambda key: _field_shape(fields.get(key))), is_implied=is_implied)


def _field_shape(field: Field | None) -> Shape:
    if field is None:
        return ANY
    if field.is_atomic:
        return ATOMIC
    item = ANY
    if is_message(field.type):
        is_implied = field.shape == "one" and not field.is_pointer
        item = ATOMIC if field.has_atomic_items else _message_shape(field.type, is_implied)
    if field.shape == "one":
        return item
    if field.shape == "map":
        return Shape("map", lambda _key: item)
    if field.list_type == "map":
        defaults = {"protocol": "TCP"} if "protocol" in field.keys else None
        return Shape(
            "keyed",
            lambda _key: item,
            field.keys,
            is_implied=field.is_always_shown,
            key_defaults=defaults,
        )
    return Shape("set", _guessed) if field.list_type == "set" else ATOMIC


@cache
def shape_of_kind(api_version: str, kind: str) -> Shape:
    """Return the shape of a built-in kind, or that of a kind without a schema."""
    message = message_of(api_version, kind)
    return _custom(ANY.child) if message is None else _message_shape(message)


def _custom(child: Callable[[str], Shape]) -> Shape:
    metadata = _message_shape(_METADATA, True)
    return Shape("map", lambda key: metadata if key == "metadata" else child(key))


def shape_of_schema(schema: Object) -> Shape:
    """Return the shape of a custom kind, by its `openAPIV3Schema`."""
    return _custom(_schema_shape(schema).child)


def _schema_shape(schema: Object) -> Shape:
    if isinstance(schema.get("items"), dict):
        item = _schema_shape(schema["items"])
        list_type = schema.get("x-kubernetes-list-type", "atomic")
        keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        if list_type == "map":
            properties: Object = schema["items"].get("properties") or {}
            defaults = {key: properties.get(key, {}).get("default") for key in keys}
            return Shape("keyed", lambda _key: item, keys, key_defaults=defaults)
        return Shape("set", _guessed) if list_type == "set" else ATOMIC
    if schema.get("x-kubernetes-map-type") == "atomic":
        return ATOMIC
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        value = _schema_shape(additional)
        return Shape("map", lambda _key: value)
    children = {key: _schema_shape(one) for key, one in (schema.get("properties") or {}).items()}
    return Shape("map", lambda key: children.get(key, ANY))
