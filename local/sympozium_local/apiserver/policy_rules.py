"""The expressions of one ValidatingAdmissionPolicy, compiled, and what is wrong with them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sympozium_local.apiserver.cel import EvaluationError, Expression, ExpressionError
from sympozium_local.apiserver.field_errors import not_supported, shown
from sympozium_local.apiserver.resource import Object

NAMES = ("object", "oldObject", "request", "namespaceObject", "variables")
"""What expressions may refer to."""

_CONDITION_NAMES = NAMES[:-1]
_UNSERVED = ("authorizer", "params")

Causes = list[tuple[str, str, str]]

_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_NOT_SERVED = "Forbidden: not served; remove it"
_REASONS = ("Unauthorized", "Forbidden", "Invalid", "RequestEntityTooLarge")


@dataclass(frozen=True)
class Validation:
    """One rule of a policy."""

    text: str
    expression: Expression
    message: str
    message_expression: Expression | None
    reason: str


class CompiledPolicy:
    """One policy, ready to be evaluated.

    Raises:
        ExpressionError: An expression does not compile.
    """

    def __init__(self, policy: Object) -> None:
        spec = policy["spec"]
        self.name: str = policy["metadata"]["name"]
        self.constraints: Object = spec.get("matchConstraints") or {}
        self.fails_closed = spec.get("failurePolicy", "Fail") == "Fail"
        self.validations = [_validation(one) for one in spec.get("validations") or ()]
        self._conditions = [_condition(one) for one in spec.get("matchConditions") or ()]
        self._variables = [
            (one["name"], Expression(one["expression"].strip(), NAMES))
            for one in spec.get("variables") or ()
        ]
        together = " && ".join(f"({rule.text})" for rule in self.validations)
        self._all = Expression(together or "true", NAMES)

    def is_about(self, variables: Object) -> bool:
        """Tell whether every match condition holds.

        Raises:
            EvaluationError: One has no value, and none is false.
        """
        seen = {name: variables[name] for name in _CONDITION_NAMES}
        failed: EvaluationError | None = None
        for condition in self._conditions:
            try:
                if condition.evaluate(condition.bind(seen)) is not True:
                    return False
            except EvaluationError as error:
                failed = error
        if failed is not None:
            raise failed
        return True

    def add_variables(self, variables: Object) -> None:
        """Set `variables` to what the policy defines, each with those before it.

        One without a value is left out: it matters only where a rule needs it.
        """
        values: Object = {}
        for name, expression in self._variables:
            try:
                values[name] = expression.evaluate(
                    expression.bind({**variables, "variables": values})
                )
            except EvaluationError:
                continue
        variables["variables"] = values

    def allows(self, variables: Object) -> bool:
        """Tell whether all rules hold; if not, evaluate them one by one."""
        try:
            return self._all.evaluate(self._all.bind(variables)) is True
        except EvaluationError:
            return False


def _validation(rule: Object) -> Validation:
    said = rule.get("messageExpression")
    text = rule["expression"].strip()
    return Validation(
        text=text,
        expression=Expression(text, NAMES, result="bool"),
        message=(rule.get("message") or "").strip(),
        message_expression=Expression(said, NAMES, result="string") if said else None,
        reason=rule.get("reason") or "",
    )


def _condition(condition: Object) -> Expression:
    return Expression(condition["expression"].strip(), _CONDITION_NAMES, result="bool")


def check_policy(policy: Object) -> Causes:
    """Return what is wrong with a policy, or not served of it, its expressions included."""
    spec = policy.get("spec") or {}
    wrong: Causes = [
        (f"spec.{field}", "FieldValueForbidden", _NOT_SERVED)
        for field in ("paramKind", "auditAnnotations")
        if spec.get(field)
    ]
    if not (spec.get("matchConstraints") or {}).get("resourceRules"):
        path = "spec.matchConstraints.resourceRules"
        wrong.append((path, "FieldValueRequired", "Required value"))
    if not spec.get("validations"):
        why = "validations or auditAnnotations must be non-empty"
        wrong.append(("spec.validations", "FieldValueRequired", f"Required value: {why}"))
    for path, text, result in _expressions(spec):
        wrong += _check_expression(path, text, result)
    for index, one in enumerate(spec.get("variables") or ()):
        if not _IDENTIFIER.fullmatch(one.get("name", "")):
            path = f"spec.variables[{index}].name"
            wrong.append(_invalid(path, one.get("name"), "name is not a valid CEL identifier"))
    for index, one in enumerate(spec.get("validations") or ()):
        wrong += _check_validation(f"spec.validations[{index}]", one)
    return wrong


def _check_validation(path: str, rule: Object) -> Causes:
    wrong: Causes = []
    message = (rule.get("message") or "").strip()
    if "\n" in message:
        wrong.append(_invalid(f"{path}.message", message, "message must not contain line breaks"))
    elif not message and "\n" in (rule.get("expression") or "").strip():
        why = "message must be specified if expression contains line breaks"
        wrong.append((f"{path}.message", "FieldValueRequired", f"Required value: {why}"))
    if rule.get("reason") and rule["reason"] not in _REASONS:
        found = not_supported(f"{path}.reason", rule["reason"], sorted(_REASONS))
        wrong.append((found.field, found.reason, found.message))
    return wrong


def _expressions(spec: Object) -> Iterator[tuple[str, str, str]]:
    """Yield each expression's path, its text and the type that it must be of."""
    for field, result in (("variables", ""), ("matchConditions", "bool"), ("validations", "bool")):
        for index, one in enumerate(spec.get(field) or ()):
            yield f"spec.{field}[{index}].expression", one.get("expression") or "", result
    for index, one in enumerate(spec.get("validations") or ()):
        if one.get("messageExpression"):
            yield f"spec.validations[{index}].messageExpression", one["messageExpression"], "string"


def _check_expression(path: str, text: str, result: str) -> Causes:
    text = text.strip()
    if not text:
        return [(path, "FieldValueRequired", "Required value: expression is not specified")]
    names = _CONDITION_NAMES if path.startswith("spec.matchConditions") else NAMES
    try:
        Expression(text, names, result=result)
    except ExpressionError as error:
        unserved = [one for one in _UNSERVED if f"undeclared reference to '{one}'" in str(error)]
        hint = f"; {unserved[0]} is not served" if unserved else ""
        return [_invalid(path, text, f"{error}{hint}")]
    return []


def check_binding(binding: Object) -> Causes:
    """Return what is wrong with a binding, or not served of it."""
    spec = binding.get("spec") or {}
    wrong: Causes = []
    if spec.get("paramRef"):
        wrong.append(("spec.paramRef", "FieldValueForbidden", _NOT_SERVED))
    actions: Sequence[str] = spec.get("validationActions") or ()
    if not actions:
        path = "spec.validationActions"
        wrong.append((path, "FieldValueRequired", "Required value: at least one is required"))
    if {"Deny", "Warn"} <= set(actions):
        why = (
            "must not contain both Deny and Warn (repeating the same validation failure information"
        )
        why += " in the API response and headers serves no purpose)"
        wrong.append(_invalid("spec.validationActions", list(actions), why))
    return wrong


def _invalid(path: str, value: object, why: str) -> tuple[str, str, str]:
    return path, "FieldValueInvalid", f"Invalid value: {shown(value)}: {why}"
