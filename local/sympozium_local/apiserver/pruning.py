"""Take out of an object what its schema does not have."""

from collections.abc import Callable
from typing import Any

from sympozium_local.apiserver.fields import json_fields
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.structural import EMBEDDED, PRESERVE

Prune = Callable[[Any, str, list[str]], None]
"""Removes from a value, at a path, and notes the paths removed."""

_METADATA = "apimachinery.pkg.apis.meta.v1.ObjectMeta"


def compile_pruning(schema: Object) -> Prune:
    """Return what prunes objects of a custom kind."""
    return _resource(schema)


def _resource(schema: Object) -> Prune:
    """Prune a whole resource: its type and metadata are known whatever the schema says."""
    properties = {
        key: child
        for key, child in (schema.get("properties") or {}).items()
        if key not in {"apiVersion", "kind", "metadata"}
    }
    prune = _compile({**schema, "properties": properties, EMBEDDED: False}, is_resource=True)
    return prune or _nothing


def _nothing(_value: Any, _path: str, _removed: list[str]) -> None:
    """Remove nothing."""


def _metadata(value: Any, path: str, removed: list[str]) -> None:
    if not isinstance(value, dict):
        return
    known = json_fields(_METADATA)
    for key in [key for key in value if key not in known]:
        del value[key]
        removed.append(f"{path}.{key}")


def _compile(schema: Object, *, is_resource: bool = False) -> Prune | None:
    if schema.get(EMBEDDED):
        return _resource(schema)
    children: dict[str, Prune | None] = {
        key: _compile(child) for key, child in (schema.get("properties") or {}).items()
    }
    if is_resource:
        children |= {"apiVersion": None, "kind": None, "metadata": _metadata}
    if isinstance(schema.get("items"), dict):
        return _list_pruning(_compile(schema["items"]))
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        return _map_pruning(_compile(additional))
    if schema.get("type") not in {"object", None} or additional is True:
        return None
    if "type" not in schema and not children:
        return None
    keeps_all = bool(schema.get(PRESERVE))
    if keeps_all and not any(children.values()):
        return None
    return _object_pruning(children, keeps_all=keeps_all)


def _list_pruning(prune_item: Prune | None) -> Prune | None:
    if prune_item is None:
        return None

    def prune(value: Any, path: str, removed: list[str]) -> None:
        if isinstance(value, list):
            for index, item in enumerate(value):
                prune_item(item, f"{path}[{index}]", removed)

    return prune


def _map_pruning(prune_item: Prune | None) -> Prune | None:
    if prune_item is None:
        return None

    def prune(value: Any, path: str, removed: list[str]) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                prune_item(item, f"{path}.{key}", removed)

    return prune


def _object_pruning(children: dict[str, Prune | None], *, keeps_all: bool) -> Prune:
    below = tuple((key, prune) for key, prune in children.items() if prune is not None)
    known = children.keys()

    def prune(value: Any, path: str, removed: list[str]) -> None:
        if not isinstance(value, dict):
            return
        prefix = f"{path}." if path else ""
        if not keeps_all and not value.keys() <= known:
            for key in [key for key in value if key not in known]:
                del value[key]
                removed.append(f"{prefix}{key}")
        for key, prune_child in below:
            if key in value:
                prune_child(value[key], f"{prefix}{key}", removed)

    return prune
