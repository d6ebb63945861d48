"""The walls of the style: how long a function, a module and a list of parameters may get."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("src", "channels", "router", "controller", "agent_image", "local")

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_POSITIONAL_PARAMETERS = 6  # five, and self
DRAWERS = {"utils", "helpers", "manager", "common", "misc", "util", "helper"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[Path]:
    return sorted(path for folder in SOURCES for path in (ROOT / folder).rglob("*.py"))


def functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def length_without_docstring(node: Function) -> int:
    docstring = ast.get_docstring(node, clean=False)
    documented = docstring.count("\n") + 1 if docstring else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - documented


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_fits_in_one_head(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert text.count("\n") <= MAX_MODULE_LINES
    too_long = {node.name: length_without_docstring(node) for node in functions(tree)}
    assert {name: n for name, n in too_long.items() if n > MAX_FUNCTION_LINES} == {}
    crowded = {node.name: len(node.args.args) for node in functions(tree)}
    assert {name: n for name, n in crowded.items() if n > MAX_POSITIONAL_PARAMETERS} == {}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    assert path.stem not in DRAWERS
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "the module docstring is missing"
