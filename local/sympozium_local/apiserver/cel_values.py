"""Values as expressions see them, where that differs from their JSON.

Numbers are doubles even when they are written without a fraction, `byte` strings
are bytes, and names that the language reserves or cannot write are escaped
(`self.__namespace__`, `self.x__dash__kubernetes`).

Strings of the formats `date-time`, `date` and `duration` stay strings, as the library
takes no others: write `timestamp(self.at)`, which a real server understands too.
"""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from sympozium_local.apiserver.resource import Object

View = Callable[[Any], Any]

_RESERVED = frozenset(
    {
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    }
)
_ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}


def escaped(name: str) -> str:
    """Return how expressions write a property's name."""
    if name in _RESERVED:
        return f"__{name}__"
    return re.sub(r"__|[.\-/]", lambda found: _ESCAPES[found.group()], name)


def compile_view(schema: Object) -> View | None:
    """Return what makes a value as expressions see it; None: it is the same."""
    if schema.get("type") == "number":
        return lambda value: float(value) if type(value) is int else value
    if schema.get("type") == "string" and schema.get("format") == "byte":
        return _bytes
    if isinstance(schema.get("items"), dict):
        return _list(compile_view(schema["items"]))
    if isinstance(schema.get("additionalProperties"), dict):
        return _map(compile_view(schema["additionalProperties"]))
    properties: Object = schema.get("properties") or {}
    views = {name: compile_view(child) for name, child in properties.items()}
    renamed = {name: escaped(name) for name in properties if escaped(name) != name}
    below = {name: view for name, view in views.items() if view is not None}
    return _object(below, renamed) if below or renamed else None


def _bytes(value: Any) -> Any:
    try:
        return base64.b64decode(value) if isinstance(value, str) else value
    except binascii.Error:
        return value


def _list(item: View | None) -> View | None:
    if item is None:
        return None
    return lambda value: [item(one) for one in value] if isinstance(value, list) else value


def _map(item: View | None) -> View | None:
    if item is None:
        return None
    return lambda value: (
        {key: item(one) for key, one in value.items()} if isinstance(value, dict) else value
    )


def _object(below: dict[str, View], renamed: dict[str, str]) -> View:
    def view(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        seen = dict(value)
        for name, view_child in below.items():
            if name in seen:
                seen[name] = view_child(seen[name])
        for name, other in renamed.items():
            if name in seen:
                seen[other] = seen[name]
        return seen

    return view
