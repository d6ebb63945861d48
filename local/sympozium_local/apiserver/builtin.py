"""The built-in kinds: which are served, their defaults and their rules."""

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from sympozium_local.apiserver.builtin_defaults import default_builtin
from sympozium_local.apiserver.builtin_validation import validate_builtin
from sympozium_local.apiserver.fields import Field, is_message, json_fields, message_of
from sympozium_local.apiserver.resource import ApiResource, Column, Object

__all__ = ["BUILTIN", "INERT", "default_builtin", "unknown_builtin_fields", "validate_builtin"]


@cache
def _table() -> Any:
    return json.loads(resources.files(__package__).joinpath("builtin_kinds.json").read_bytes())


def _resource(entry: Mapping[str, Any]) -> ApiResource:
    return ApiResource(
        group=entry["group"],
        version=entry["version"],
        plural=entry["plural"],
        singular=entry["singular"],
        kind=entry["kind"],
        namespaced=entry.get("namespaced", True),
        short_names=tuple(entry.get("short_names", ())),
        categories=tuple(entry.get("categories", ())),
        subresources=frozenset(entry.get("subresources", ())),
        columns=tuple(Column(*column) for column in entry["columns"]),
    )


BUILTIN: tuple[ApiResource, ...] = tuple(_resource(entry) for entry in _table()["kinds"])
"""Every built-in kind that is served."""

INERT: Mapping[str, str] = _table()["inert"]
"""Kinds that are stored but that nothing acts on: storage key to what does not happen."""


def unknown_builtin_fields(resource: ApiResource, obj: Object) -> list[str]:
    """Take the fields that *resource* does not have out of *obj*; return their paths."""
    message = message_of(resource.api_version, resource.kind)
    if message is None:
        return []
    unknown: list[str] = []
    _prune(obj, message, "", unknown)
    return unknown


def _prune(obj: Object, message: str, path: str, unknown: list[str]) -> None:
    fields = json_fields(message)
    for key in list(obj):
        field = fields.get(key)
        if field is None and not path and key in {"apiVersion", "kind"}:
            continue
        if field is None:
            del obj[key]
            unknown.append(f"{path}{key}")
        elif is_message(field.type):
            _prune_field(obj[key], field, f"{path}{key}", unknown)


def _prune_field(value: Any, field: Field, path: str, unknown: list[str]) -> None:
    if field.shape == "list" and isinstance(value, list):
        places = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    elif field.shape == "map" and isinstance(value, dict):
        places = [(f"{path}.{key}", item) for key, item in value.items()]
    else:
        places = [(path, value)]
    for place, item in places:
        if isinstance(item, dict):
            _prune(item, field.type, f"{place}.", unknown)
