"""Reads label selectors, in the grammar and with the complaints of the real server.

Source: Parser in k8s.io/apimachinery/pkg/labels/selector.go.
"""

import re
from collections.abc import Iterator

from sympozium_local.apiserver import name_rules
from sympozium_local.apiserver.field_errors import invalid

Parsed = tuple[str, str, tuple[str, ...]]
"""A key, an operator (in, notin, above, below, exists or absent) and its values."""

_TOKENS = re.compile(r"==|!=|[=!(),<>]|[^\s=!(),<>]+")
_SYMBOLS = frozenset({"==", "!=", "=", "!", "(", ")", ",", "<", ">"})
_OPERATORS = {"=": "in", "==": "in", "!=": "notin", ">": "above", "<": "below"}
_END = ""


class LabelSelectorError(ValueError):
    """The text is no label selector."""


class _Tokens:
    def __init__(self, text: str) -> None:
        self._left: list[str] = [*_TOKENS.findall(text), _END]

    def next(self) -> str:
        return self._left[0]

    def take(self) -> str:
        return self._left.pop(0) if len(self._left) > 1 else _END

    def word(self, expected: str = "identifier") -> str:
        word = self.take()
        if word == _END or word in _SYMBOLS:
            raise _found(word, expected)
        return word


def parse_labels(text: str) -> Iterator[Parsed]:
    """Yield the requirements of a label selector.

    Raises:
        LabelSelectorError: It cannot be read; the message is that of the real server.
    """
    tokens = _Tokens(text)
    while tokens.next() != _END:
        if tokens.next() in _SYMBOLS - {"!"}:
            raise _found(tokens.next(), "!, identifier, or 'end of string'")
        try:
            yield _requirement(tokens)
        except LabelSelectorError as error:
            raise LabelSelectorError(f"unable to parse requirement: {error}") from None
        if (after := tokens.take()) not in {",", _END}:
            raise _found(after, "',' or 'end of string'")
        if after == "," and tokens.next() in _SYMBOLS - {"!"} | {_END}:
            raise _found(tokens.next(), "identifier after ','")


def _found(token: str, expected: str) -> LabelSelectorError:
    return LabelSelectorError(f"found '{token}', expected: {expected}")


def _requirement(tokens: _Tokens) -> Parsed:
    is_absent = tokens.next() == "!" and bool(tokens.take())
    key = tokens.word()
    _require("<nil>", key, name_rules.label_key(key))
    if is_absent or tokens.next() in {",", _END}:
        return key, "absent" if is_absent else "exists", ()
    sign = tokens.take()
    if sign in {"in", "notin"}:
        op, values = sign, _listed(tokens)
    elif sign in _OPERATORS:
        op = _OPERATORS[sign]
        values = ("",) if tokens.next() in {",", _END} else (tokens.word(),)
    else:
        raise _found(sign, "in, notin, =, ==, !=, gt, lt")
    for value in values:
        _require(f"values[0][{key}]", value, name_rules.label_value(value))
    if op in {"above", "below"} and not values[0].isdigit():
        why = "for 'Gt', 'Lt' operators, the value must be an integer"
        _require("values[0]", values[0], [why])
    return key, op, values


def _listed(tokens: _Tokens) -> tuple[str, ...]:
    if (opening := tokens.take()) != "(":
        raise _found(opening, "'('")
    values = []
    while True:
        is_empty = tokens.next() in {",", ")"}
        values.append("" if is_empty else tokens.word("',', ')' or identifier"))
        if (after := tokens.take()) == ")":
            return tuple(values)
        if after != ",":
            raise _found(after, "',' or ')'")


def _require(place: str, value: str, whys: list[str]) -> None:
    if whys:
        raise LabelSelectorError(f"{place}: {invalid(place, value, whys[0]).message}")
