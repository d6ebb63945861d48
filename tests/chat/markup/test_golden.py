"""Every answer of the corpus in every dialect, as it was looked at and found right.

After a change that is meant to be seen, write them anew and read the difference:

    SYMPOZIUM_RENEW_GOLDEN=1 pytest tests/chat/markup/test_golden.py
    git diff tests/chat/markup/golden
"""

import os

import pytest

from sympozium.chat.markup import Dialect, render
from tests.chat.markup.corpora import ANSWERS, FOLDER, golden_path, limit_for, shown

RENEW = "SYMPOZIUM_RENEW_GOLDEN"


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_an_answer_looks_as_it_was_found_right(name: str, dialect: Dialect) -> None:
    rendered = shown(render(ANSWERS[name], dialect, limit_for(name, dialect)))
    path = golden_path(name, dialect)
    if os.environ.get(RENEW):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rendered.encode())
    assert rendered == path.read_bytes().decode()


def test_every_stored_rendering_belongs_to_an_answer() -> None:
    stored = set((FOLDER / "golden").rglob("*.txt"))
    assert stored == {golden_path(name, dialect) for name in ANSWERS for dialect in Dialect}
