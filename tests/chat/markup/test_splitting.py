"""Where an answer is cut, and what the pieces look like there."""

import pytest

from sympozium.chat.markup import Dialect, LengthUnit, Limit, render
from sympozium.chat.markup.length import measure
from tests.chat.markup.reading import read_telegram

NARROW = Limit(200, LengthUnit.UTF16)
EACH_DIALECT = pytest.mark.parametrize("dialect", Dialect)


def texts(markdown: str, dialect: Dialect, limit: Limit = NARROW) -> list[str]:
    return [piece.text for piece in render(markdown, dialect, limit)]


@pytest.mark.parametrize("blank", ["", "  \n\t\n", "&#x202e;", "[a]: https://example.com"])
@EACH_DIALECT
def test_a_blank_answer_has_no_piece(blank: str, dialect: Dialect) -> None:
    assert render(blank, dialect, NARROW) == []


@EACH_DIALECT
def test_an_answer_is_cut_between_paragraphs_if_it_can_be(dialect: Dialect) -> None:
    first, second = "First. " * 20 + "End", "Second. " * 20 + "End"
    assert texts(f"{first}\n\n{second}", dialect) == [first, second]


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    sentences = [f"Sentence {number} has some more words in it." for number in range(10)]
    pieces = texts(" ".join(sentences), Dialect.TELEGRAM)
    assert len(pieces) > 1
    assert all(piece.endswith(".") for piece in pieces)


def test_a_long_sentence_is_cut_between_words() -> None:
    words = [f"word{number}" for number in range(100)]
    pieces = texts(" ".join(words), Dialect.TELEGRAM)
    assert [word for piece in pieces for word in piece.split(" ")] == words


def test_text_without_spaces_is_cut_after_its_full_stops() -> None:
    pieces = texts("これは文です。" * 60, Dialect.TELEGRAM)
    assert len(pieces) > 1
    assert all(piece.endswith("。") for piece in pieces)


@EACH_DIALECT
def test_no_emoji_is_cut(dialect: Dialect) -> None:
    family = "👩‍👩‍👧‍👦"
    pieces = texts(family * 60, dialect)
    assert "".join(pieces) == family * 60
    assert all(len(piece) % len(family) == 0 for piece in pieces)


@EACH_DIALECT
@pytest.mark.parametrize("letter", ["x", "&", "*", "<", "`", "_", "语", "@", "a\u0301" * 90])
def test_a_word_longer_than_a_message_is_cut(letter: str, dialect: Dialect) -> None:
    word = f"x{letter * 1_000}x"
    pieces = render(word, dialect, NARROW)
    assert len(pieces) > 1
    assert all(measure(piece.text, NARROW.unit) <= NARROW.size for piece in pieces)


@pytest.mark.parametrize(
    ("dialect", "begin", "end"),
    [
        (Dialect.SLACK, "```\n", "\n```"),
        (Dialect.DISCORD, "```py\n", "\n```"),
        (Dialect.MARKDOWN, "```py\n", "\n```"),
        (Dialect.TELEGRAM, '<pre><code class="language-py">', "</code></pre>"),
    ],
)
def test_code_is_closed_and_opened_again_with_its_language(
    dialect: Dialect, begin: str, end: str
) -> None:
    lines = [f"    line_{number} = {number}" for number in range(40)]
    pieces = texts("\n".join(["```py", *lines]), dialect)
    assert len(pieces) > 1
    shown = [piece.removeprefix(begin).removesuffix(end) for piece in pieces]
    assert [line for piece in shown for line in piece.split("\n")] == lines


@pytest.mark.parametrize(
    ("dialect", "begin", "end"),
    [
        (Dialect.SLACK, "*", "*"),
        (Dialect.DISCORD, "**", "**"),
        (Dialect.MARKDOWN, "**", "**"),
        (Dialect.TELEGRAM, "<b>", "</b>"),
    ],
)
def test_bold_is_closed_and_opened_again(dialect: Dialect, begin: str, end: str) -> None:
    pieces = texts(f"**{'word ' * 100}end**", dialect)
    assert len(pieces) > 1
    assert all(piece.startswith(begin) and piece.endswith(end) for piece in pieces)


def test_a_link_is_closed_and_opened_again() -> None:
    pieces = render(f"[{'word ' * 80}end](https://example.com)", Dialect.SLACK, NARROW)
    assert len(pieces) > 1
    for piece in pieces:
        assert piece.text.startswith("<https://example.com|")
        assert piece.text.endswith(">")
        assert piece.plain.endswith(" (https://example.com)")


@pytest.mark.parametrize(
    ("dialect", "indent"),
    [(Dialect.SLACK, " " * 8), (Dialect.DISCORD, " " * 4), (Dialect.MARKDOWN, "")],
)
def test_an_item_that_is_cut_keeps_its_indentation_unless_that_means_code(
    dialect: Dialect, indent: str
) -> None:
    pieces = texts(f"- one\n  - {'word ' * 80}end\n  - next", dialect)
    assert len(pieces) > 1
    assert all(piece.startswith(f"{indent}word") for piece in pieces[1:])


@pytest.mark.parametrize("dialect", [Dialect.SLACK, Dialect.DISCORD, Dialect.MARKDOWN])
def test_a_quote_that_is_cut_stays_a_quote(dialect: Dialect) -> None:
    pieces = texts(f"> {'word ' * 100}end", dialect)
    assert len(pieces) > 1
    assert all(piece.startswith("> word") for piece in pieces)


@EACH_DIALECT
def test_a_table_that_is_cut_repeats_its_head(dialect: Dialect) -> None:
    rows = "\n".join(f"| row{number} | {number} |" for number in range(40))
    pieces = render(f"| Name | Size |\n|---|---|\n{rows}", dialect, NARROW)
    assert len(pieces) > 1
    assert all("Name" in "".join(piece.text.split("\n")[:2]) for piece in pieces)
    shown = "\n".join(piece.plain for piece in pieces)
    assert [shown.count(f"row{number} ") for number in range(40)] == [1] * 40


@EACH_DIALECT
def test_a_heading_stays_with_what_it_is_the_heading_of(dialect: Dialect) -> None:
    pieces = render(f"{'Before. ' * 20}\n\n# Heading\n\n{'After. ' * 15}", dialect, NARROW)
    assert [("Heading" in piece.plain, "After" in piece.plain) for piece in pieces] == [
        (False, False),
        (True, True),
    ]


@EACH_DIALECT
def test_deep_lists_and_quotes_are_shown_to_the_last_word(dialect: Dialect) -> None:
    markdown = "".join(f"{'  ' * depth}- depth{depth}\n" for depth in range(40)) + "> " * 40 + "end"
    shown = " ".join(piece.plain for piece in render(markdown, dialect, NARROW))
    assert all(f"depth{depth}" in shown for depth in range(40))
    assert shown.endswith("end")


@EACH_DIALECT
@pytest.mark.parametrize(
    "part",
    ["[", "![", "*a ", "> ", "- ", "`a``", "<", "a\n\n", "```\n\n\n", "|a", "https://a.b/(", "&"],
)
def test_an_answer_made_to_keep_the_parser_busy_is_rendered(part: str, dialect: Dialect) -> None:
    limit = Limit(2_000, LengthUnit.UTF16)
    for piece in render(part * 10_000, dialect, limit):
        assert measure(piece.text, limit.unit) <= limit.size


def test_a_very_long_answer_is_rendered() -> None:
    chapter = (
        "# Title\n\nSome **bold** words, a [link](https://example.com) and `code`.\n\n- item\n\n"
    )
    pieces = render(chapter * 3_000, Dialect.TELEGRAM, Limit(4_096, LengthUnit.UTF16))
    assert sum(piece.plain.count("Title") for piece in pieces) == 3_000
    assert read_telegram(pieces[-1].text).text.endswith("item")
