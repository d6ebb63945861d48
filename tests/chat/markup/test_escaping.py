"""Names, error sentences and status lines, shown as they are."""

from html import unescape

import pytest

from sympozium.chat.markup import Dialect, escape
from sympozium.chat.markup.parse import parse
from sympozium.chat.markup.tree import Paragraph, Text

JOINER = "\u2060"


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    "text", ["", "run-a1b2", "Die Antwort: 42!", "两 语", "a\nb", "snake_case_name"]
)
def test_text_without_signs_stays_as_it_is(dialect: Dialect, text: str) -> None:
    assert escape(text, dialect) == text


@pytest.mark.parametrize(
    ("dialect", "escaped"),
    [
        (
            Dialect.SLACK,
            f"&lt;!here&gt; {JOINER}*{JOINER}a{JOINER}*{JOINER} &amp; @{JOINER}channel",
        ),
        (Dialect.TELEGRAM, f"&lt;!here&gt; *a* &amp; @{JOINER}channel"),
        (Dialect.DISCORD, f"\\<{JOINER}!here> \\*a\\* & @{JOINER}channel"),
        (Dialect.MARKDOWN, f"\\<{JOINER}!here> \\*a\\* & @{JOINER}channel"),
    ],
)
def test_signs_are_literal_in_every_dialect(dialect: Dialect, escaped: str) -> None:
    assert escape("<!here> *a* & @channel", dialect) == escaped


@pytest.mark.parametrize(
    "text",
    ["# no heading", "- no item", "1. no number", "> no quote", "```", "***", "a\n===",
     "| a |\n|---|", "<b>x</b>", "&amp;", "[a](b)", "~~a~~", "    no code", "+ a",
     "a *b* _c_ `d` \\e ![f](g)"],
)  # fmt: skip
def test_standard_markdown_reads_escaped_text_as_one_text(text: str) -> None:
    (block,) = parse(escape(text, Dialect.MARKDOWN))
    assert isinstance(block, Paragraph)
    read = "\n".join(node.text for node in block.children if isinstance(node, Text))
    assert read.replace(JOINER, "") == "\n".join(line.strip() for line in text.split("\n"))


def test_telegram_reads_escaped_text_as_it_was() -> None:
    text = 'a < b && c > d "e" <b>f</b> &lt;'
    assert unescape(escape(text, Dialect.TELEGRAM)) == text


@pytest.mark.parametrize("dialect", Dialect)
def test_control_characters_and_overrides_are_gone(dialect: Dialect) -> None:
    escaped = escape("a\x00b\x1bc\u202ed\u2066e\ud800f", dialect)
    assert escaped == "abcde\ufffdf"
    assert escaped.encode()
