"""Fill in what a schema gives as defaults, and drop nulls where it allows none."""

from collections.abc import Callable
from typing import Any

from sympozium_local.apiserver.patches import copied
from sympozium_local.apiserver.resource import Object

Default = Callable[[Any], None]


def compile_defaults(schema: Object) -> Default | None:
    """Return what completes a value in place; None: there is nothing to fill in."""
    if isinstance(schema.get("items"), dict):
        return _each(compile_defaults(schema["items"]), list)
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        below_all = _each(compile_defaults(additional), dict)
        return below_all if additional.get("nullable") else _without_nulls(below_all)
    properties: Object = schema.get("properties") or {}
    own = tuple(
        (key, child["default"], bool(child.get("nullable")))
        for key, child in properties.items()
        if "default" in child
    )
    compiled = ((key, compile_defaults(child)) for key, child in properties.items())
    below = tuple((key, default) for key, default in compiled if default is not None)
    never_null = frozenset(
        key
        for key, child in properties.items()
        if not child.get("nullable") and "default" not in child
    )
    return _object(own, below, never_null) if properties else None


def _without_nulls(default: Default | None) -> Default:
    """Return what drops the nulls of a map, as they say the same as nothing."""

    def drop(value: Any) -> None:
        if isinstance(value, dict):
            for key in [key for key, item in value.items() if item is None]:
                del value[key]
            if default is not None:
                default(value)

    return drop


def _each(default_item: Default | None, container: type) -> Default | None:
    if default_item is None:
        return None

    def default(value: Any) -> None:
        items: Any = value if isinstance(value, container) else ()
        for item in items.values() if isinstance(items, dict) else items:
            default_item(item)

    return default


def _object(
    own: tuple[tuple[str, Any, bool], ...],
    below: tuple[tuple[str, Default], ...],
    never_null: frozenset[str],
) -> Default:
    def default(value: Any) -> None:
        if not isinstance(value, dict):
            return
        if None in value.values():
            for key in [key for key in never_null & value.keys() if value[key] is None]:
                del value[key]
        for key, given, is_nullable in own:
            if key not in value or (value[key] is None and not is_nullable):
                value[key] = copied(given)
        for key, default_child in below:
            if key in value:
                default_child(value[key])

    return default
