"""Standard Markdown: CommonMark with GitHub's tables, tasks and strikethrough.

It is written anew from the tree, not passed through: only so can it be cut, and only so is
what the model wrote as HTML or as a mention of some platform no more than text.
"""

import re

from sympozium.chat.markup.backslash import (
    escaped,
    escaped_at_line_start,
    in_parentheses,
    longest_run_of_backticks,
    seamed,
)
from sympozium.chat.markup.dialect import Dialect
from sympozium.chat.markup.flow import Ink, Mark
from sympozium.chat.markup.neutral import WORD_JOINER
from sympozium.chat.markup.tree import SpanKind
from sympozium.chat.markup.writer import Traits

_SYMBOLS = {SpanKind.BOLD: "**", SpanKind.ITALIC: "*", SpanKind.STRIKE: "~~"}
_MOST_BACKTICKS = 8
_LONG_RUN = re.compile("`{7}(?=`)")


class StandardWriter:
    """Writes standard Markdown."""

    traits = Traits(
        dialect=Dialect.MARKDOWN,
        schemes=frozenset({"http", "https", "mailto"}),
        bullets=("- ",),
        boxes=("[ ] ", "[x] "),
        rule="***",
        line_break="  ",
        shows_tables=True,
        indents_code=True,
        quotes_code=True,
        is_dedented=True,
    )

    def word(self, word: str) -> str:
        """Return *word* with backslashes."""
        return escaped(word)

    def word_at_line_start(self, word: str) -> str:
        """Return *word* with backslashes."""
        return escaped_at_line_start(word)

    def plain(self, text: str) -> str:
        """Return *text* as it is."""
        return text

    def code(self, text: str) -> str:
        """Return *text* as it is."""
        return text

    def in_fence(self, line: str) -> str:
        """Return *line*; only a row of backticks that is too long for a fence is parted."""
        return _LONG_RUN.sub(r"\g<0>" + WORD_JOINER, line)

    def span(self, kind: SpanKind) -> Mark:
        """Return one or two characters."""
        return seamed(_SYMBOLS[kind], _SYMBOLS[kind])

    def code_span(self, code: str) -> Mark | None:
        """Return more backticks than stand in a row in *code*."""
        run = longest_run_of_backticks(code)
        if run >= _MOST_BACKTICKS:
            return None
        ticks = "`" * (run + 1)
        return seamed(f"{ticks} ", f" {ticks}") if run else seamed(ticks, ticks)

    def fence(self, language: str, code: str) -> Mark:
        """Return more backticks than stand in a row in *code*, and the language."""
        ticks = "`" * max(3, min(longest_run_of_backticks(code), _MOST_BACKTICKS - 1) + 1)
        return Mark(Ink(f"{ticks}{language}\n", ""), Ink(f"\n{ticks}", ""), spans_lines=True)

    def link(self, url: str) -> Mark:
        """Return a link; parted from a word before it, for `!` would make it an image."""
        closing = Ink(f"]({in_parentheses(url)})", f" ({url})")
        return Mark(Ink("[", ""), closing, guard=WORD_JOINER, seam=WORD_JOINER)

    def address(self, url: str) -> str:
        """Return the address in angle brackets."""
        return f"<{in_parentheses(url)}>"

    def heading(self, level: int) -> tuple[str, Mark | None]:
        """Return the signs of a heading."""
        return "#" * level + " ", None

    def quote(self) -> tuple[str, Mark | None]:
        """Return the sign of a quote."""
        return "> ", None
