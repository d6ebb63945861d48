"""How a growing answer is shown, and how large a log gets."""

import io
from pathlib import Path

import pytest

from sympozium_local.cli.asking import GrowingText
from sympozium_local.cli.screen import age
from sympozium_local.system.log_files import LogFile, last_line


def test_an_answer_is_shown_as_it_grows_and_each_piece_once() -> None:
    screen = io.StringIO()
    growing = GrowingText(screen)
    growing.change(0, "Three ")
    growing.change(6, "pods")
    growing.end("Three pods.")
    assert screen.getvalue() == "Three pods.\n"


def test_an_answer_that_starts_anew_starts_on_a_new_line() -> None:
    screen = io.StringIO()
    growing = GrowingText(screen)
    growing.change(0, "Let me look")
    growing.change(0, "Three pods")
    growing.end("Three pods")
    assert screen.getvalue() == "Let me look\nThree pods\n"


def test_an_answer_without_any_piece_is_shown_whole() -> None:
    screen = io.StringIO()
    GrowingText(screen).end("Hello")
    assert screen.getvalue() == "Hello\n"


def test_nothing_is_written_where_nobody_reads() -> None:
    growing = GrowingText(None)
    growing.change(0, "a")
    growing.end("ab")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (119, "119s"), (180, "3m"), (8000, "2h")])
def test_ages_are_written_as_kubectl_does(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_a_log_that_is_full_becomes_the_old_one(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log", max_bytes=10)
    for text in (b"first---\n", b"second--\n", b"third---\n"):
        log.write(text)
    log.close()
    assert (tmp_path / "x.log").read_bytes() == b"third---\n"
    assert (tmp_path / "x.log.1").read_bytes() == b"second--\n"
    assert last_line(tmp_path / "x.log") == "third---"
