"""Every fault in `docs/reliability.md` has a test that is there, or says what it waits for."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reliability.md"
TEST = re.compile(r"`((?:tests|src)/[\w./-]+\.py)::([\w:]+)`")
WAITS = "waits for"
COLUMNS = 5


def rows() -> list[list[str]]:
    """Return the cells of every fault: hop, fault, mechanism, tests, remarks."""
    section = PAGE.read_text().split("\n## What breaks", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


@pytest.mark.parametrize("row", rows(), ids=lambda row: "-".join(row[:2]).replace(" ", "_"))
def test_a_fault_has_a_test_or_says_what_it_waits_for(row: list[str]) -> None:
    assert len(row) == COLUMNS, row
    assert TEST.search(row[3]) or WAITS in row[4]


def test_every_test_that_the_page_names_is_there() -> None:
    named = TEST.findall(PAGE.read_text())
    assert named
    assert [f"{path}::{name}" for path, name in named if name not in found_in(ROOT / path)] == []


def found_in(path: Path) -> set[str]:
    """Return the tests of a module, those of a class as `Class::test`."""
    if not path.exists():
        return set()
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{name}" for name in _names_among(node.body)}
    return names | _names_among(ast.parse(path.read_text()).body)


def _names_among(nodes: list[ast.stmt]) -> set[str]:
    return {
        node.name
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }
