"""Evaluate expressions of the Common Expression Language, compiled once."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_encoders, ext_math, ext_optional, ext_strings

from sympozium_local.apiserver.cel_functions import KUBERNETES_FUNCTIONS

_STRINGS = re.compile(r"""\"(?:\\.|[^"\\])*\"|'(?:\\.|[^'\\])*'""")


class ExpressionError(ValueError):
    """The expression does not compile. The text says where and why."""


class EvaluationError(Exception):
    """The expression has no value for these variables."""


@cache
def _environment(names: tuple[str, ...]) -> Any:
    extensions = [
        ext_strings.ExtStrings(),
        ext_math.ExtMath(),
        ext_optional.ExtOptional(),
        ext_encoders.ExtEncoders(),
        ext_bindings.ExtBindings(),
        KUBERNETES_FUNCTIONS,
    ]
    return cel.NewEnv(variables=dict.fromkeys(names, cel.Type.DYN), extensions=extensions)


def mentions(expression: str, name: str) -> bool:
    """Tell whether an expression refers to a variable."""
    return re.search(rf"\b{re.escape(name)}\b", _STRINGS.sub('""', expression)) is not None


class Expression:
    """An expression over named variables.

    Raises:
        ExpressionError: it does not compile, or its value is not of the type asked for.
    """

    def __init__(self, text: str, names: tuple[str, ...], *, result: str = "") -> None:
        self._environment = _environment(names)
        try:
            self._compiled = self._environment.compile(text)
        except RuntimeError as error:
            raise ExpressionError(f"compilation failed: {_first_lines(str(error))}") from error
        given = self._compiled.return_type().name().lower()
        if result and given not in {result, "dyn"}:
            raise ExpressionError(f"cel expression must evaluate to a {result}, not to {given}")

    def bind(self, variables: Mapping[str, Any]) -> Any:
        """Return an activation, for any expression over the same names."""
        return self._environment.Activation(variables)

    def evaluate(self, activation: Any) -> Any:
        """Return the value of the expression.

        Raises:
            EvaluationError: it has none: no such key, index out of bounds, ...
        """
        value = self._compiled.eval(activation)
        if value.type() == cel.Type.ERROR:
            raise EvaluationError(str(value.value()))
        return value.plain_value()


def _first_lines(text: str) -> str:
    text = text.removeprefix("INVALID_ARGUMENT: ").removesuffix(" [INVALID_ARGUMENT]")
    return " ".join(line.strip() for line in text.splitlines())
