"""What the documentation names must be there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "channels/README.md"])
NAMED = re.compile(r"`([\w./-]+/[\w.-]+\.(?:py|yaml|md))`")
LINKED = re.compile(r"\]\((?!https?:)([^)#]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    named = [ROOT / name for name in NAMED.findall(text)]
    linked = [page.parent / link for link in LINKED.findall(text)]
    assert [str(path) for path in (*named, *linked) if not path.exists()] == []
