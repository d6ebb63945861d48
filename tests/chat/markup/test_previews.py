"""What is shown while an answer grows."""

import pytest

from sympozium.chat.markup import Dialect, LengthUnit, Limit, preview, render
from sympozium.chat.markup.length import measure

NARROW = Limit(200, LengthUnit.UTF16)
EACH_DIALECT = pytest.mark.parametrize("dialect", Dialect)


@EACH_DIALECT
def test_a_short_answer_is_shown_as_it_will_be(dialect: Dialect) -> None:
    answer = "# Title\n\nSome **bold** words.\n\n- item"
    assert [preview(answer, dialect, NARROW)] == render(answer, dialect, NARROW)


@EACH_DIALECT
def test_a_blank_answer_is_shown_blank(dialect: Dialect) -> None:
    assert preview(" \n", dialect, NARROW).text == ""


def test_an_open_fence_is_closed() -> None:
    assert preview("```py\nx = 1", Dialect.DISCORD, NARROW).text == "```py\nx = 1\n```"


@EACH_DIALECT
def test_of_a_long_answer_the_newest_lines_are_shown(dialect: Dialect) -> None:
    answer = "\n\n".join(f"Paragraph {number} of the answer." for number in range(5_000))
    text = preview(answer, dialect, NARROW).text
    assert text.startswith("…\n\nParagraph 49")
    assert text.endswith("Paragraph 4999 of the answer.")
    assert measure(text, NARROW.unit) > NARROW.size // 2


@pytest.mark.parametrize(
    ("dialect", "beginning"),
    [
        (Dialect.SLACK, "…\n\n```\n    x = "),
        (Dialect.DISCORD, "…\n\n```py\n    x = "),
        (Dialect.MARKDOWN, "…\n\n```py\n    x = "),
        (Dialect.TELEGRAM, '…\n\n<pre><code class="language-py">    x = '),
    ],
)
def test_code_that_began_earlier_is_shown_as_code(dialect: Dialect, beginning: str) -> None:
    answer = "Here it is:\n\n```py\n" + "".join(f"    x = {number}\n" for number in range(100))
    assert preview(answer, dialect, NARROW).text.startswith(beginning)


def test_a_table_that_began_earlier_is_shown_with_its_head() -> None:
    answer = "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 100
    assert preview(answer, Dialect.MARKDOWN, NARROW).text.startswith(
        "…\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    )


@EACH_DIALECT
def test_of_one_long_line_the_newest_words_are_shown(dialect: Dialect) -> None:
    answer = " ".join(f"word{number}" for number in range(1_000))
    text = preview(answer, dialect, NARROW).text
    assert text.startswith("… word")
    assert text.endswith("word999")


@EACH_DIALECT
def test_of_one_long_word_the_end_is_shown(dialect: Dialect) -> None:
    text = preview("x" * 5_000 + "end", dialect, NARROW).text
    assert text.startswith("… xxx")
    assert text.endswith("xend")


@EACH_DIALECT
def test_every_stage_of_a_growing_answer_fits(dialect: Dialect) -> None:
    answer = "# T\n\n> **quo** `te`\n\n- a\n  - b\n\n```py\nx = 1\n```\n\n| a |\n|---|\n| 1 |\n" * 4
    for length in range(0, len(answer), 3):
        piece = preview(answer[:length], dialect, NARROW)
        assert max(measure(text, NARROW.unit) for text in (piece.text, piece.plain)) <= NARROW.size
