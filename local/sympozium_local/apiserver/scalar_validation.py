"""What a schema asks of one value by itself: format, enum, pattern, bounds, length."""

import re
from collections.abc import Callable, Iterator, Sized
from typing import Any

from sympozium_local.apiserver.field_errors import (
    FieldError,
    invalid,
    not_supported,
    too_long,
    too_many,
)
from sympozium_local.apiserver.formats import FORMATS
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.structural import SchemaError

Complain = Callable[[Any, str], FieldError | None]
"""Returns what is wrong with a value at a path."""

_INTEGER_BITS = {"int32": 32, "int64": 64}


def child_path(path: str, key: str) -> str:
    """Return the path of a field below *path*."""
    return f"{path}.{key}" if path else key


def in_body(path: str) -> str:
    """Return a path as the messages of validation begin."""
    return f"{path} in body"


def _shown_number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def scalar_checks(schema: Object) -> Iterator[Complain]:
    """Return the checks of one value's content."""
    if schema.get("enum"):
        yield _enum(schema["enum"])
    format_ = schema.get("format", "")
    if format_ in FORMATS and schema.get("type") in {None, "string"}:
        yield _format(format_)
    if format_ in _INTEGER_BITS and schema.get("type") == "integer":
        yield _bits(format_)
    if "minimum" in schema:
        yield _bound(schema["minimum"], is_strict=bool(schema.get("exclusiveMinimum")), sign=1)
    if "maximum" in schema:
        yield _bound(schema["maximum"], is_strict=bool(schema.get("exclusiveMaximum")), sign=-1)
    if schema.get("multipleOf"):
        yield _multiple(schema["multipleOf"])


def _enum(allowed: list[Any]) -> Complain:
    def complain(value: Any, path: str) -> FieldError | None:
        return None if value in allowed else not_supported(path, value, allowed)

    return complain


def _pattern(pattern: str) -> Complain:
    # Go's $ matches at the very end only, and its \d and \w mean ASCII.
    text = re.sub(r"(?<!\\)\$$", r"\\Z", pattern)
    try:
        expression = re.compile(text, re.ASCII)
    except re.error as error:
        raise SchemaError(f"pattern: Invalid value: {pattern!r}: {error}") from error

    def complain(value: Any, path: str) -> FieldError | None:
        if not isinstance(value, str) or expression.search(value):
            return None
        return invalid(path, value, f"{in_body(path)} should match '{pattern}'")

    return complain


def _format(format_: str) -> Complain:
    check = FORMATS[format_]

    def complain(value: Any, path: str) -> FieldError | None:
        if not isinstance(value, str) or check(value):
            return None
        why = f'{in_body(path)} must be of type {format_}: "{value}"'
        return invalid(path, value, why, "FieldValueTypeInvalid")

    return complain


def _bits(format_: str) -> Complain:
    limit = 2 ** (_INTEGER_BITS[format_] - 1)

    def complain(value: Any, path: str) -> FieldError | None:
        if not _is_number(value) or -limit <= value < limit:
            return None
        why = f"Checked value must be of type integer with format {format_} in {path}"
        return invalid(path, value, why)

    return complain


def _bound(bound: float, *, is_strict: bool, sign: int) -> Complain:
    words = "greater than" if sign > 0 else "less than"
    words += "" if is_strict else " or equal to"

    def complain(value: Any, path: str) -> FieldError | None:
        if not _is_number(value):
            return None
        distance = (value - bound) * sign
        if distance > 0 or (distance == 0 and not is_strict):
            return None
        return invalid(path, value, f"{in_body(path)} should be {words} {_shown_number(bound)}")

    return complain


def _multiple(factor: float) -> Complain:
    def complain(value: Any, path: str) -> FieldError | None:
        if not _is_number(value) or float(value / factor).is_integer():
            return None
        why = f"{in_body(path)} should be a multiple of {_shown_number(factor)}"
        return invalid(path, value, why)

    return complain


_KINDS: tuple[tuple[str, type[Sized], str], ...] = (
    ("Length", str, "chars long"),
    ("Items", list, "items"),
    ("Properties", dict, "properties"),
)


def length_checks(schema: Object) -> Iterator[Complain]:
    """Return the checks of how long a text, a list or an object is, and of a text's pattern."""
    for name, type_, unit in _KINDS:
        checks = []
        if f"max{name}" in schema:
            checks.append(_at_most(schema[f"max{name}"], type_))
        if schema.get(f"min{name}"):
            checks.append(_at_least(schema[f"min{name}"], type_, unit))
        if name == "Length" and schema.get("pattern"):
            checks.append(_pattern(schema["pattern"]))
        if checks:
            yield _first_of(checks)


def _first_of(checks: list[Complain]) -> Complain:
    """Return a check that says what the first of *checks* has to say."""

    def complain(value: Any, path: str) -> FieldError | None:
        return next((found for one in checks if (found := one(value, path)) is not None), None)

    return complain if len(checks) > 1 else checks[0]


def _at_least(least: int, type_: type[Sized], unit: str) -> Complain:
    def complain(value: Any, path: str) -> FieldError | None:
        if not isinstance(value, type_) or len(value) >= least:
            return None
        shown = value if type_ is str else len(value)
        return invalid(path, shown, f"{in_body(path)} should be at least {least} {unit}"
                       if type_ is str
                       else f"{in_body(path)} should have at least {least} {unit}")  # fmt: skip

    return complain


def _at_most(most: int, type_: type[Sized]) -> Complain:
    def complain(value: Any, path: str) -> FieldError | None:
        if not isinstance(value, type_) or len(value) <= most:
            return None
        if type_ is str:
            return too_long(path, most)
        return too_many(path, len(value), most)

    return complain
