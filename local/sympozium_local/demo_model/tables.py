"""Reading the tables that tools answer with, and the numbered lists made from them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_HEADER = re.compile(r"NAME\s{2,}STATUS\b[A-Z ]*")
_GAP = re.compile(r"\s{2,}")
_NUMBERED = re.compile(r"^\d+\. (\S+): (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Item:
    """One row: what it is called and how it is."""

    name: str
    status: str


def items_in(output: str) -> list[Item]:
    """Return the rows of a table whose first columns are NAME and STATUS; none: no table."""
    lines = output.splitlines()
    if not lines or not _HEADER.fullmatch(lines[0].strip()):
        return []
    cells = (_GAP.split(line.strip()) for line in lines[1:] if not line.startswith("("))
    return [Item(row[0], row[1]) for row in cells if len(row) >= 2]


def numbered(items: Iterable[Item]) -> str:
    """Write *items* as a list that `numbered_items` reads back."""
    return "\n".join(f"{i}. {item.name}: {item.status}" for i, item in enumerate(items, 1))


def numbered_items(text: str) -> list[Item]:
    """Return the entries of the numbered list in *text*, in order."""
    return [Item(name, status) for name, status in _NUMBERED.findall(text)]
