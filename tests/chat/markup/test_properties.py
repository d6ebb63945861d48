"""What holds for every answer, however broken."""

import pytest
from hypothesis import HealthCheck, given, settings

from sympozium.chat.markup import Dialect, Limit, escape, preview, render
from sympozium.chat.markup.length import measure
from sympozium.chat.markup.parse import parse
from sympozium.chat.markup.tree import Link, Paragraph, Text
from tests.chat.markup.answers import answers, limits, prose
from tests.chat.markup.corpora import LIMITS
from tests.chat.markup.reading import (
    PINGS,
    letters,
    letters_of,
    letters_read_again,
    read_telegram,
)

few = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
each_dialect = pytest.mark.parametrize("dialect", Dialect)


@each_dialect
@few
@given(answer=answers, limit=limits)
def test_no_piece_is_longer_than_the_limit_or_blank(
    dialect: Dialect, answer: str, limit: Limit
) -> None:
    for piece in render(answer, dialect, limit):
        assert measure(piece.text, limit.unit) <= limit.size
        assert measure(piece.plain, limit.unit) <= limit.size
        assert piece.text.strip()


@each_dialect
@few
@given(answer=answers, limit=limits)
def test_no_letter_is_lost_and_the_order_is_kept(
    dialect: Dialect, answer: str, limit: Limit
) -> None:
    shown = "".join(letters(piece.plain) for piece in render(answer, dialect, limit))
    if dialect is Dialect.SLACK:
        shown = "".join(
            letters(_unescaped(piece.plain)) for piece in render(answer, dialect, limit)
        )
    assert shown == letters_of(parse(answer))


@pytest.mark.parametrize("dialect", [Dialect.SLACK, Dialect.DISCORD])
@few
@given(answer=answers, limit=limits)
def test_fences_are_balanced_in_every_piece(dialect: Dialect, answer: str, limit: Limit) -> None:
    for piece in render(answer, dialect, limit):
        assert piece.text.count("```") % 2 == 0


@few
@given(answer=answers, limit=limits)
def test_standard_markdown_reads_as_what_it_was_written_from(answer: str, limit: Limit) -> None:
    for piece in render(answer, Dialect.MARKDOWN, limit):
        assert letters_read_again(piece.text) == letters(piece.plain)


@few
@given(answer=answers, limit=limits)
def test_telegram_reads_every_piece_and_the_words_are_the_same(answer: str, limit: Limit) -> None:
    for piece in render(answer, Dialect.TELEGRAM, limit):
        assert letters(read_telegram(piece.text).text) == letters(piece.plain)


@each_dialect
@few
@given(answer=answers, limit=limits)
def test_nothing_in_a_piece_mentions_anybody(dialect: Dialect, answer: str, limit: Limit) -> None:
    for piece in [*render(answer, dialect, limit), preview(answer, dialect, limit)]:
        text = piece.text
        if dialect is Dialect.TELEGRAM:
            text = read_telegram(text).text_outside_code
        assert PINGS[dialect].findall(text) == []
        assert PINGS[dialect].findall(piece.plain) == []


@each_dialect
@few
@given(answer=answers, limit=limits)
def test_a_preview_is_one_piece_that_ends_as_the_answer_does(
    dialect: Dialect, answer: str, limit: Limit
) -> None:
    piece = preview(answer, dialect, limit)
    assert measure(piece.text, limit.unit) <= limit.size
    assert measure(piece.plain, limit.unit) <= limit.size
    pieces = render(answer, dialect, limit)
    if len(pieces) <= 1:
        assert [piece] == pieces or not pieces
        return
    assert piece.text.startswith("…")
    assert piece.text.count("```") % 2 == 0 or dialect in {Dialect.MARKDOWN, Dialect.TELEGRAM}
    if dialect is Dialect.TELEGRAM:
        read_telegram(piece.text)
    ends = [letters(pieces[-1].plain)[-5:], letters(piece.plain)[-5:]]
    assert max(ends, key=len).endswith(min(ends, key=len))


@each_dialect
@few
@given(text=prose)
def test_text_without_markup_is_shown_as_it_is(dialect: Dialect, text: str) -> None:
    pieces = render(text, dialect, LIMITS[dialect])
    assert "\n\n".join(piece.text for piece in pieces) == text
    assert "\n\n".join(piece.plain for piece in pieces) == text


@each_dialect
@few
@given(text=answers)
def test_escaped_text_mentions_nobody(dialect: Dialect, text: str) -> None:
    escaped = escape(text, dialect)
    if dialect is Dialect.TELEGRAM:
        escaped = read_telegram(escaped).text
    assert PINGS[dialect].findall(escaped) == []


@few
@given(text=answers)
def test_escaped_text_is_read_as_text_alone(text: str) -> None:
    for line in escape(text, Dialect.MARKDOWN).split("\n"):
        for block in parse(line):
            assert isinstance(block, Paragraph)
            # An address is one on every platform, however it is written.
            assert all(
                isinstance(node, Text) or (isinstance(node, Link) and node.is_bare)
                for node in block.children
            )
    reader = read_telegram(escape(text, Dialect.TELEGRAM))
    assert reader.text == reader.text_outside_code


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
