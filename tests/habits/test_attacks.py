"""Every attack in `docs/security.md` has tests that are there, and every such test is on it."""

import re
from pathlib import Path

import pytest

from tests.habits.test_reliability import TEST, found_in

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/security.md"
COLUMNS = 5
MADE = {*range(1, 13), 24, 31, 32, 34}
"""Attacks that are made from inside the pods of a real cluster."""

NUMBERED = re.compile(r"test_(\d+)_\w+")


def rows() -> list[list[str]]:
    """Return the cells of every row: number, from where, what is tried, what refuses it, tests."""
    section = PAGE.read_text().split("\n## Attacks", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if re.match(r"\| \d+ \|", line)]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def named() -> set[tuple[int, str, str]]:
    """Return what the page names: the number of the attack, a module and a test of it."""
    return {(int(row[0]), *test) for row in rows() for test in TEST.findall(row[-1])}


def test_every_attack_is_on_the_page() -> None:
    assert {int(row[0]) for row in rows()} == MADE


@pytest.mark.parametrize("row", rows(), ids=lambda row: "-".join(row[:2]).replace(" ", "_"))
def test_an_attack_says_from_where_what_refuses_it_and_where_it_is_tried(row: list[str]) -> None:
    assert len(row) == COLUMNS, row
    assert all(row), row
    assert TEST.search(row[-1]), row


def test_every_test_that_the_page_names_is_there() -> None:
    assert [one for one in named() if one[2] not in found_in(ROOT / one[1])] == []


def test_every_numbered_test_is_on_the_page_under_its_number() -> None:
    there = {
        (int(number[1]), str(path.relative_to(ROOT)), name)
        for path in (ROOT / "tests/kube").glob("test_*.py")
        for name in found_in(path)
        if (number := NUMBERED.fullmatch(name))
    }
    assert there
    assert {one for one in named() if NUMBERED.fullmatch(one[2])} == there
