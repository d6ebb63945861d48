"""Discord's Markdown.

Every link is written so that Discord fetches and shows no preview of it: a preview of an
address that a model wrote would tell its owner what was said here.

Source: https://docs.discord.com/developers/reference#message-formatting
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
_FENCE = re.compile(r"`(?=``)")
_DEEPEST_HEADING = 3


class DiscordWriter:
    """Writes Discord's Markdown."""

    traits = Traits(
        dialect=Dialect.DISCORD,
        schemes=frozenset({"http", "https"}),
        bullets=("- ",),
        rule="———",
        quotes_code=True,
    )

    def word(self, word: str) -> str:
        """Return *word* with backslashes."""
        return escaped(word, on_discord=True)

    def word_at_line_start(self, word: str) -> str:
        """Return *word* with backslashes."""
        return escaped_at_line_start(word, on_discord=True)

    def plain(self, text: str) -> str:
        """Return *text* as it is."""
        return text

    def code(self, text: str) -> str:
        """Return *text* as it is."""
        return text

    def in_fence(self, line: str) -> str:
        """Return *line*, three backticks in a row parted."""
        return _FENCE.sub("`" + WORD_JOINER, line)

    def span(self, kind: SpanKind) -> Mark:
        """Return one or two characters."""
        return seamed(_SYMBOLS[kind], _SYMBOLS[kind])

    def code_span(self, code: str) -> Mark | None:
        """Return one backtick, or two if *code* holds one; three would be a block."""
        match longest_run_of_backticks(code):
            case 0:
                return seamed("`", "`")
            case 1:
                return seamed("`` ", " ``")
        return None

    def fence(self, language: str, code: str) -> Mark:
        """Return three backticks with the language."""
        return Mark(Ink(f"```{language}\n", ""), Ink("\n```", ""), spans_lines=True)

    def link(self, url: str) -> Mark:
        """Return a link with a text and without a preview."""
        return Mark(
            Ink("[", ""),
            Ink(f"](<{in_parentheses(url)}>)", f" ({url})"),
            guard=WORD_JOINER,
            seam=WORD_JOINER,
        )

    def address(self, url: str) -> str:
        """Return a link without a preview."""
        return f"<{in_parentheses(url)}>"

    def heading(self, level: int) -> tuple[str, Mark | None]:
        """Return Discord's three headings; deeper ones are bold."""
        if level <= _DEEPEST_HEADING:
            return "#" * level + " ", None
        return "", self.span(SpanKind.BOLD)

    def quote(self) -> tuple[str, Mark | None]:
        """Return the sign of a quote."""
        return "> ", None
