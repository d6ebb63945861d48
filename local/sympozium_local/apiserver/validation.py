"""Validate values by a schema, with the words of the real server.

Every part of a schema becomes a closure; what a schema does not ask for costs nothing.

Source of the words: k8s.io/kube-openapi pkg/validation/errors and
k8s.io/apiextensions-apiserver pkg/apiserver/validation.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sympozium_local.apiserver.field_errors import FieldError, invalid, required
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.rules import compile_rules
from sympozium_local.apiserver.scalar_validation import (
    Complain,
    child_path,
    in_body,
    length_checks,
    scalar_checks,
)
from sympozium_local.apiserver.structural import INT_OR_STRING, RULES, SchemaError

ABSENT: Any = object()
"""Stands for an old value that is not there, as null is a value."""


class Complaints(list[FieldError]):
    """What is wrong with a value by its schema.

    Attributes:
        by_rules: What its rules say, which is told only where the schema has little to say.
    """

    def __init__(self) -> None:
        super().__init__()
        self.by_rules: list[FieldError] = []


Validate = Callable[[Any, Any, str, Complaints], None]
"""Complains about a value, which replaces an old one (or ABSENT), at a path."""

_BLOCKING = frozenset({
    "FieldValueNotSupported",
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
})  # fmt: skip
"""What keeps rules from being told. Source: hasBlockingErr in apiextensions-apiserver."""

_NOT_CHECKED = FieldError(
    "<nil>",
    "FieldValueInvalid",
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)


def has_rules(schema: Any) -> bool:
    """Tell whether there is a rule anywhere in *schema*."""
    if isinstance(schema, list):
        return any(map(has_rules, schema))
    return isinstance(schema, dict) and (
        bool(schema.get(RULES)) or any(has_rules(value) for value in schema.values())
    )


def told(found: Complaints, *, with_rules: bool) -> list[FieldError]:
    """Return what of *found* a client is told; *with_rules*: the schema has such."""
    if with_rules and any(one.reason in _BLOCKING for one in found):
        return [*found, _NOT_CHECKED]
    return [*found, *found.by_rules]


_NO_OLD: Mapping[str, Any] = {}


def _is_integer(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_integer,
    "number": _is_number,
}
_NAMES: Mapping[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}


def compile_validation(schema: Object) -> Validate:
    """Return what validates values by *schema*.

    Raises:
        SchemaError: a rule or a pattern in it does not compile.
    """
    is_type, type_name = _type_of(schema)
    is_nullable = bool(schema.get("nullable"))
    checks = (*_checks(schema), *_structure(schema))
    rules = compile_rules(schema) if schema.get(RULES) else None

    def validate(value: Any, old: Any, path: str, errors: Complaints) -> None:
        if value is None and is_nullable:
            return
        if is_type is not None and not is_type(value):
            errors.append(_type_error(path, value, type_name))
            return
        if rules is not None:
            rules(value, old, old is not ABSENT, path, errors.by_rules)
        for check in checks:
            check(value, old, path, errors)

    return validate


def _type_of(schema: Object) -> tuple[Callable[[Any], bool] | None, str]:
    if schema.get(INT_OR_STRING):
        return (lambda value: isinstance(value, str) or _is_integer(value)), "integer,string"
    name = schema.get("type", "")
    return _TYPES.get(name), name


def _type_error(path: str, value: Any, wanted: str) -> FieldError:
    given = _NAMES.get(type(value), "unknown")
    why = f'{in_body(path)} must be of type {wanted}: "{given}"'
    return invalid(path, given, why, "FieldValueTypeInvalid")


def _plain(complain: Complain) -> Validate:
    def validate(value: Any, _old: Any, path: str, errors: Complaints) -> None:
        error = complain(value, path)
        if error is not None:
            errors.append(error)

    return validate


def _checks(schema: Object) -> list[Validate]:
    checks = [_plain(one) for one in (*scalar_checks(schema), *length_checks(schema))]
    return checks + [_logic(key, schema[key]) for key in _LOGIC if schema.get(key)]


def _structure(schema: Object) -> list[Validate]:
    """Return the checks that go below a value."""
    found: list[Validate] = []
    if schema.get("required"):
        found.append(_plain_required(tuple(schema["required"])))
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    if properties:
        below = {key: _below(child, f"properties[{key}]") for key, child in properties.items()}
        found.append(_properties(below))
    elif isinstance(additional, dict):
        found.append(_values(_below(additional, "additionalProperties")))
    items = schema.get("items")
    if isinstance(items, dict):
        keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        list_type = schema.get("x-kubernetes-list-type", "atomic")
        found.append(_items(_below(items, "items"), keys if list_type == "map" else None))
        if list_type in {"set", "map"}:
            found.append(_unique(keys if list_type == "map" else None))
    return found


def _below(schema: Object, place: str) -> tuple[Validate, bool]:
    """Return what validates a child, and whether it must see values that did not change."""
    try:
        return compile_validation(schema), _has_transitions(schema)
    except SchemaError as error:
        raise SchemaError(f"{place}.{error}") from error


def _has_transitions(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(map(_has_transitions, schema))
    if not isinstance(schema, dict):
        return False
    if any("oldSelf" in rule.get("rule", "") for rule in schema.get(RULES) or ()):
        return True
    return any(_has_transitions(value) for value in schema.values())


def _plain_required(keys: tuple[str, ...]) -> Validate:
    def validate(value: Any, _old: Any, path: str, errors: Complaints) -> None:
        if isinstance(value, dict):
            errors += [required(child_path(path, key)) for key in keys if key not in value]

    return validate


def _properties(below: Mapping[str, tuple[Validate, bool]]) -> Validate:
    def validate(value: Any, old: Any, path: str, errors: Complaints) -> None:
        if not isinstance(value, dict):
            return
        prefix = f"{path}." if path else ""
        olds = old if isinstance(old, dict) else _NO_OLD
        for key, item in value.items():
            child = below.get(key)
            if child is not None:
                before = olds.get(key, ABSENT)
                if child[1] or before is ABSENT or before != item:
                    child[0](item, before, prefix + key, errors)

    return validate


def _values(child: tuple[Validate, bool]) -> Validate:
    check, sees_all = child

    def validate(value: Any, old: Any, path: str, errors: Complaints) -> None:
        if not isinstance(value, dict):
            return
        olds = old if isinstance(old, dict) else _NO_OLD
        for key, item in value.items():
            before = olds.get(key, ABSENT)
            if sees_all or before is ABSENT or before != item:
                check(item, before, child_path(path, key), errors)

    return validate


def _items(child: tuple[Validate, bool], keys: tuple[str, ...] | None) -> Validate:
    check, sees_all = child

    def validate(value: Any, old: Any, path: str, errors: Complaints) -> None:
        if not isinstance(value, list):
            return
        olds = _by_keys(old, keys) if keys and isinstance(old, list) else {}
        for index, item in enumerate(value):
            before = olds.get(_keys_of(item, keys), ABSENT) if olds and keys else ABSENT
            if sees_all or before is ABSENT or before != item:
                check(item, before, f"{path}[{index}]", errors)

    return validate


def _by_keys(items: list[Any], keys: tuple[str, ...]) -> dict[Any, Any]:
    return {_keys_of(item, keys): item for item in items}


def _keys_of(item: Any, keys: tuple[str, ...] | None) -> Any:
    if keys is None:
        return repr(item)
    return tuple(repr(item.get(key)) for key in keys) if isinstance(item, dict) else repr(item)


def _unique(keys: tuple[str, ...] | None) -> Validate:
    def validate(value: Any, _old: Any, path: str, errors: Complaints) -> None:
        seen: set[Any] = set()
        for index, item in enumerate(value if isinstance(value, list) else ()):
            name = _keys_of(item, keys)
            if name in seen:
                shown = {key: item.get(key) for key in keys} if keys else item
                error = invalid(f"{path}[{index}]", shown, "")
                message = error.message.removesuffix(": ").replace("Invalid", "Duplicate")
                errors.append(FieldError(error.field, "FieldValueDuplicate", message))
            seen.add(name)

    return validate


_LOGIC = ("allOf", "anyOf", "oneOf", "not")


def _logic(key: str, given: Any) -> Validate:
    schemas = [given] if key == "not" else given
    branches = [compile_validation(schema) for schema in schemas]

    def validate(value: Any, old: Any, path: str, errors: Complaints) -> None:
        found: list[Complaints] = []
        for branch in branches:
            wrong = Complaints()
            branch(value, ABSENT, path, wrong)
            found.append(wrong)
        valid = sum(not wrong for wrong in found)
        why = _broken(key, valid, len(branches))
        if why:
            errors.append(invalid(path, "", f'"{path}" {why}'))
            if key != "not":
                errors.extend(_shortest(found))

    return validate


def _shortest(found: list[Complaints]) -> list[FieldError]:
    """Return the complaints of the branch that fits best."""
    return min((wrong for wrong in found if wrong), key=len, default=Complaints())


def _broken(key: str, valid: int, count: int) -> str:
    if key == "allOf" and valid < count:
        return "must validate all the schemas (allOf)" + ("" if valid else ". None validated")
    if key == "anyOf" and not valid:
        return "must validate at least one schema (anyOf)"
    if key == "oneOf" and valid != 1:
        found = f"Found {valid} valid alternatives" if valid else "Found none valid"
        return f"must validate one and only one schema (oneOf). {found}"
    if key == "not" and valid:
        return "must not validate the schema (not)"
    return ""
