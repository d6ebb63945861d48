"""Which schemas a custom kind may have: structural ones, said with the path of what is not."""

from collections.abc import Iterator
from typing import Any

from sympozium_local.apiserver.resource import Object

INT_OR_STRING = "x-kubernetes-int-or-string"
PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
RULES = "x-kubernetes-validations"

TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean"})
_LOGIC = ("allOf", "anyOf", "oneOf")
_NOT_IN_LOGIC = frozenset({"default", "nullable", PRESERVE, EMBEDDED})
_FORBIDDEN = ("$ref", "definitions", "dependencies", "patternProperties", "additionalItems")


class SchemaError(ValueError):
    """The schema cannot be served; the text begins with the path of what is wrong."""


def require_structural(schema: Object) -> None:
    """Refuse a schema that is not structural.

    Raises:
        SchemaError: with the first thing that is wrong.
    """
    if schema.get("type") != "object":
        raise SchemaError("type: Required value: must be object at the root")
    for path, found in _complaints(schema, ""):
        raise SchemaError(f"{path}: {found}" if path else found)


def _complaints(schema: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(schema, dict):
        yield path, "Invalid value: must be an object"
        return
    for key in _FORBIDDEN:
        if schema.get(key):
            yield f"{path}.{key}".lstrip("."), "Forbidden: is not supported"
    type_ = schema.get("type", "")
    is_any = schema.get(INT_OR_STRING) or schema.get(PRESERVE)
    if not type_ and not is_any:
        yield f"{path}.type".lstrip("."), "Required value: must not be empty for specified fields"
    elif type_ and type_ not in TYPES:
        listed = ", ".join(f'"{one}"' for one in sorted(TYPES))
        why = f'Unsupported value: "{type_}": supported values: {listed}'
        yield f"{path}.type".lstrip("."), why
    if type_ == "array" and not isinstance(schema.get("items"), dict):
        yield f"{path}.items".lstrip("."), "Required value: must be specified for an array"
    if schema.get("uniqueItems"):
        yield f"{path}.uniqueItems".lstrip("."), "Forbidden: uniqueItems cannot be set to true"
    yield from _complaints_below(schema, path)


def _complaints_below(schema: Object, path: str) -> Iterator[tuple[str, str]]:
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    if properties and isinstance(additional, dict):
        why = "Forbidden: additionalProperties and properties are mutual exclusive"
        yield f"{path}.additionalProperties".lstrip("."), why
    for name, child in properties.items():
        if path or name not in {"metadata", "apiVersion", "kind"}:
            yield from _complaints(child, f"{path}.properties[{name}]".lstrip("."))
    if isinstance(additional, dict):
        yield from _complaints(additional, f"{path}.additionalProperties".lstrip("."))
    if isinstance(schema.get("items"), dict):
        yield from _complaints(schema["items"], f"{path}.items".lstrip("."))
    for key in _LOGIC:
        for index, junctor in enumerate(schema.get(key) or ()):
            for name in _NOT_IN_LOGIC & junctor.keys():
                place = f"{path}.{key}[{index}].{name}".lstrip(".")
                yield place, "Forbidden: must be undefined to be structural"
