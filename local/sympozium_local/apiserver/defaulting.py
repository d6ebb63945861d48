"""Fill in what a schema gives as defaults."""

from collections.abc import Callable
from typing import Any

from sympozium_local.apiserver.patches import copied
from sympozium_local.apiserver.resource import Object

Default = Callable[[Any], None]


def compile_defaults(schema: Object) -> Default | None:
    """Return what completes a value in place; None: there is nothing to fill in."""
    if isinstance(schema.get("items"), dict):
        return _each(compile_defaults(schema["items"]), list)
    if isinstance(schema.get("additionalProperties"), dict):
        return _each(compile_defaults(schema["additionalProperties"]), dict)
    properties: Object = schema.get("properties") or {}
    own = tuple(
        (key, child["default"], bool(child.get("nullable")))
        for key, child in properties.items()
        if "default" in child
    )
    compiled = ((key, compile_defaults(child)) for key, child in properties.items())
    below = tuple((key, default) for key, default in compiled if default is not None)
    return _object(own, below) if own or below else None


def _each(default_item: Default | None, container: type) -> Default | None:
    if default_item is None:
        return None

    def default(value: Any) -> None:
        items: Any = value if isinstance(value, container) else ()
        for item in items.values() if isinstance(items, dict) else items:
            default_item(item)

    return default


def _object(
    own: tuple[tuple[str, Any, bool], ...], below: tuple[tuple[str, Default], ...]
) -> Default:
    def default(value: Any) -> None:
        if not isinstance(value, dict):
            return
        for key, given, is_nullable in own:
            if key not in value or (value[key] is None and not is_nullable):
                value[key] = copied(given)
        for key, default_child in below:
            if key in value:
                default_child(value[key])

    return default
