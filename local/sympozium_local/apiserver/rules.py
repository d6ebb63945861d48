"""The `x-kubernetes-validations` of a schema: rules in the Common Expression Language."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sympozium_local.apiserver.cel import (
    EvaluationError,
    Expression,
    ExpressionError,
    mentions,
)
from sympozium_local.apiserver.cel_values import compile_view
from sympozium_local.apiserver.field_errors import (
    FieldError,
    forbidden,
    invalid,
    required,
    shown,
)
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.structural import RULES, SchemaError

CheckRules = Callable[[Any, Any, bool, str, list[FieldError]], None]
"""Complains about a value, an old value and whether there is one, at a path."""

_NAMES = ("self", "oldSelf")
_MAYBE_NAMES = ("self", "oldSelfIfAny")
_MAYBE = (
    "cel.bind(oldSelf, size(oldSelfIfAny) == 0 ? optional.none() : "
    "optional.of(oldSelfIfAny[0]), ({rule}))"
)


@dataclass(frozen=True)
class _Rule:
    text: str
    expression: Expression
    is_transition: bool
    is_optional: bool
    message: str
    message_expression: Expression | None
    field_path: str
    reason: str


def compile_rules(schema: Object) -> CheckRules:
    """Return what checks values by the rules of *schema* itself, not of those below it.

    As nearly every object satisfies every rule, those without a look at the old value
    are first evaluated as one conjunction; only if that is not true, one by one.

    Raises:
        SchemaError: a rule does not compile.
    """
    rules = [_compile(index, rule) for index, rule in enumerate(schema[RULES])]
    plain = [rule for rule in rules if not rule.is_transition]
    transitions = [rule for rule in rules if rule.is_transition]
    view = compile_view(schema)
    all_plain = Expression(" && ".join(f"({rule.text})" for rule in plain) or "true", _NAMES)
    is_composite = schema.get("type") in {"object", "array"}

    def check(value: Any, old: Any, has_old: bool, path: str, errors: list[FieldError]) -> None:
        seen = value if view is None else view(value)
        activation = all_plain.bind({"self": seen})
        if plain and not _is_true(all_plain, activation):
            for rule in plain:
                _check(rule, activation, value if not is_composite else None, path, errors)
        if transitions:
            before = old if view is None or not has_old else view(old)
            _check_transitions(transitions, (seen, before, has_old), path, errors)

    return check


def _check_transitions(
    rules: list[_Rule], values: tuple[Any, Any, bool], path: str, errors: list[FieldError]
) -> None:
    seen, before, has_old = values
    for rule in rules:
        if rule.is_optional:
            bound = {"self": seen, "oldSelfIfAny": [before] if has_old else []}
        elif has_old:
            bound = {"self": seen, "oldSelf": before}
        else:
            continue
        shown_value = None if isinstance(seen, dict | list) else seen
        _check(rule, rule.expression.bind(bound), shown_value, path, errors)


def _is_true(expression: Expression, activation: Any) -> bool:
    try:
        return expression.evaluate(activation) is True
    except EvaluationError:
        return False


def _compile(index: int, rule: Object) -> _Rule:
    path = f"{RULES}[{index}]"
    text = str(rule.get("rule", "")).strip()
    message = str(rule.get("message", "")).strip()
    if not text:
        raise SchemaError(f"{path}.rule: Required value: rule is not specified")
    if "\n" in text and not message:
        why = "message must be specified if rule contains line breaks"
        raise SchemaError(f"{path}.message: Required value: {why}")
    is_optional = bool(rule.get("optionalOldSelf"))
    said = rule.get("messageExpression")
    if is_optional:
        expression = _expression(f"{path}.rule", _MAYBE.format(rule=text), _MAYBE_NAMES, "bool")
    else:
        expression = _expression(f"{path}.rule", text, _NAMES, "bool")
    return _Rule(
        text=text,
        expression=expression,
        is_transition=is_optional or mentions(text, "oldSelf"),
        is_optional=is_optional,
        message=message,
        message_expression=(
            _expression(f"{path}.messageExpression", said, _NAMES, "string") if said else None
        ),
        field_path=str(rule.get("fieldPath", "")).strip(),
        reason=str(rule.get("reason") or "FieldValueInvalid"),
    )


def _expression(path: str, text: str, names: tuple[str, ...], result: str) -> Expression:
    try:
        return Expression(text, names, result=result)
    except ExpressionError as error:
        raise SchemaError(f"{path}: Invalid value: {shown(text)}: {error}") from error


def _check(rule: _Rule, activation: Any, value: Any, path: str, errors: list[FieldError]) -> None:
    try:
        if rule.expression.evaluate(activation) is True:
            return
    except EvaluationError as error:
        errors.append(
            _invalid(path, value, f"{error} evaluating rule: {rule.message or rule.text}")
        )
        return
    path = f"{path}{rule.field_path}".removeprefix(".")
    errors.append(_error(rule, path, value, _message(rule, activation)))


def _message(rule: _Rule, activation: Any) -> str:
    if rule.message_expression is not None:
        try:
            said = rule.message_expression.evaluate(activation)
        except EvaluationError:
            said = ""
        if isinstance(said, str) and said.strip() and "\n" not in said:
            return said.strip()
    return rule.message or f"failed rule: {rule.text}"


def _invalid(path: str, value: Any, why: str) -> FieldError:
    if value is None:
        return FieldError(path, "FieldValueInvalid", f"Invalid value: {why}")
    return invalid(path, value, why)


def _error(rule: _Rule, path: str, value: Any, why: str) -> FieldError:
    if rule.reason == "FieldValueForbidden":
        return forbidden(path, why)
    if rule.reason == "FieldValueRequired":
        return required(path, why)
    if rule.reason == "FieldValueDuplicate":
        shown_value = "" if value is None else f": {shown(value)}"
        return FieldError(path, rule.reason, f"Duplicate value{shown_value}")
    return _invalid(path, value, why)
