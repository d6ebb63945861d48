"""Check built-in objects against the table of fields: types, enums, required fields."""

import base64
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sympozium_local.apiserver.builtin_defaults import builtin_rules
from sympozium_local.apiserver.field_errors import (
    FieldError,
    invalid,
    not_supported,
    required,
)
from sympozium_local.apiserver.fields import Field, is_message, json_fields
from sympozium_local.apiserver.resource import Object

QUANTITY = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")
_QUANTITY_RULE = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_int32(value: Any) -> bool:
    return _is_int(value) and -(2**31) <= value < 2**31


def _is_quantity(value: Any) -> bool:
    if isinstance(value, str):
        return QUANTITY.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_base64(value: Any) -> bool:
    try:
        base64.b64decode(re.sub(r"[\r\n]", "", value), validate=True)
    except (ValueError, TypeError):
        return False
    return True


def _is_time(value: Any) -> bool:
    if not isinstance(value, str) or "T" not in value:
        return False
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_micro_time(value: Any) -> bool:
    return _is_time(value) and re.search(r"\.\d{6}(?!\d)", value) is not None


_Check = Callable[[Any], bool]
_CHECKS: Mapping[str, tuple[_Check, str]] = {
    "string": (lambda value: isinstance(value, str), "must be of type string"),
    "bytes": (_is_base64, "must be a base64 string"),
    "bool": (lambda value: isinstance(value, bool), "must be of type boolean"),
    "int32": (_is_int32, "must be of type integer (int32)"),
    "int64": (_is_int, "must be of type integer"),
    "double": (lambda value: _is_int(value) or isinstance(value, float), "must be a number"),
    "Quantity": (_is_quantity, _QUANTITY_RULE),
    "IntOrString": (
        lambda value: _is_int32(value) or isinstance(value, str),
        "must be an integer or a string",
    ),
    "Time": (_is_time, "must be a time as in RFC 3339"),
    "MicroTime": (_is_micro_time, "must be a time as in RFC 3339, in microseconds"),
    "StringList": (lambda value: isinstance(value, list), "must be a list of strings"),
}


def check_types(obj: Object, message: str, old: Object | None = None) -> list[FieldError]:
    """Return what in *obj* is not as the table says of *message*.

    A part that it shares with *old*, the very same object, was checked with that.
    """
    wrong: list[FieldError] = []
    known = old or {}
    fresh = {key: value for key, value in obj.items() if value is not known.get(key)}
    wrong += _missing(obj, message, "")
    _check_fields(fresh, message, "", wrong)
    return wrong


@cache
def _required(message: str) -> tuple[str, ...]:
    return tuple(builtin_rules()["required"].get(message, ()))


def _check_message(obj: Any, message: str, path: str, wrong: list[FieldError]) -> None:
    if not isinstance(obj, dict):
        wrong.append(invalid(path.rstrip("."), obj, "must be of type object"))
        return
    wrong += _missing(obj, message, path)
    _check_fields(obj, message, path, wrong)


def _missing(obj: Object, message: str, path: str) -> list[FieldError]:
    return [required(f"{path}{key}") for key in _required(message) if obj.get(key) in _EMPTY]


def _check_fields(obj: Object, message: str, path: str, wrong: list[FieldError]) -> None:
    fields = json_fields(message)
    for key, value in obj.items():
        field = fields.get(key)
        if field is not None and value is not None and key != "managedFields":
            _check_field(value, field, f"{path}{key}", wrong)


_EMPTY: tuple[Any, ...] = (None, "", [])


def _check_field(value: Any, field: Field, path: str, wrong: list[FieldError]) -> None:
    if field.shape == "one":
        _check_one(value, field, path, wrong)
    elif field.shape == "list":
        if not isinstance(value, list):
            wrong.append(invalid(path, value, "must be of type array"))
            return
        for index, item in enumerate(value):
            _check_one(item, field, f"{path}[{index}]", wrong)
    elif not isinstance(value, dict):
        wrong.append(invalid(path, value, "must be of type object"))
    else:
        for key, item in value.items():
            _check_one(item, field, f"{path}[{key}]", wrong)


def _check_one(value: Any, field: Field, path: str, wrong: list[FieldError]) -> None:
    if is_message(field.type):
        _check_message(value, field.type, f"{path}.", wrong)
        return
    check = _CHECKS.get(field.type)
    if check is not None and not check[0](value):
        wrong.append(invalid(path, value, check[1]))
    elif field.enum and value and value not in field.enum:
        wrong.append(not_supported(path, value, sorted(field.enum)))
