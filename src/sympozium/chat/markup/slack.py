"""Slack's mrkdwn.

It has no escape for its own characters: what must not be read as markup is parted from its
neighbours by a zero-width character. In turn a mark only works beside a space or
punctuation, so it is parted from a word it touches.

Source: https://docs.slack.dev/messaging/formatting-message-text
"""

import re

from sympozium.chat.markup.dialect import Dialect
from sympozium.chat.markup.flow import Ink, Mark
from sympozium.chat.markup.neutral import WORD_JOINER
from sympozium.chat.markup.tree import SpanKind
from sympozium.chat.markup.writer import Traits

_SPACE = "\u200b"
"""Zero-width, and to Slack a place where a mark may stand."""
_CONTROL = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SYMBOLS = {SpanKind.BOLD: "*", SpanKind.ITALIC: "_", SpanKind.STRIKE: "~"}
_FORMATTING = re.compile(r"(?<![^\W_])[*_~]|[*_~](?![^\W_])|`")
_FENCE = re.compile(r"`(?=``)")


class SlackWriter:
    """Writes mrkdwn."""

    traits = Traits(
        dialect=Dialect.SLACK,
        schemes=frozenset({"http", "https", "mailto"}),
        bullets=("• ", "◦ ", "▪ "),
        rule="———",
        list_indent=4,
        shows_spans_in_links=False,
        shows_code_in_links=False,
    )

    def word(self, word: str) -> str:
        """Return *word* with Slack's three control characters as entities, its marks parted."""
        escaped = word.translate(_CONTROL)
        if len(word) == 1 and word != "`":
            return escaped
        return _FORMATTING.sub(lambda c: WORD_JOINER + c.group() + WORD_JOINER, escaped)

    def word_at_line_start(self, word: str) -> str:
        """Return *word*; a `>` there would make a quote, though it is an entity."""
        return (WORD_JOINER if word.startswith(">") else "") + self.word(word)

    def plain(self, text: str) -> str:
        """Return *text* with entities: Slack reads `<!channel>` also where markup is off."""
        return text.translate(_CONTROL)

    def code(self, text: str) -> str:
        """Return *text* with entities: Slack reads `<!channel>` also in code."""
        return text.translate(_CONTROL)

    def in_fence(self, line: str) -> str:
        """Return *line*, three backticks in a row parted."""
        return _FENCE.sub("`" + WORD_JOINER, line)

    def span(self, kind: SpanKind) -> Mark:
        """Return a mark of one character."""
        return _mark(_SYMBOLS[kind], _SYMBOLS[kind])

    def code_span(self, code: str) -> Mark | None:
        """Return single backticks; there is no way to show code that holds one itself."""
        return None if "`" in code else _mark("`", "`")

    def fence(self, language: str, code: str) -> Mark:
        """Return three backticks; Slack would show a language as the first line of the code."""
        return Mark(Ink("```\n", ""), Ink("\n```", ""), spans_lines=True)

    def link(self, url: str) -> Mark:
        """Return a link with a text."""
        return Mark(Ink(f"<{_safe(url)}|", ""), Ink(">", f" ({self.plain(url)})"))

    def address(self, url: str) -> str:
        """Return a link without a text."""
        return f"<{_safe(url)}>"

    def heading(self, level: int) -> tuple[str, Mark | None]:
        """Return bold: there are no headings."""
        return "", self.span(SpanKind.BOLD)

    def quote(self) -> tuple[str, Mark | None]:
        """Return the sign of a quote."""
        return "> ", None


def _mark(opening: str, closing: str) -> Mark:
    return Mark(Ink(opening, ""), Ink(closing, ""), guard=_SPACE, seam=_SPACE)


def _safe(url: str) -> str:
    return url.replace("|", "%7C").replace(">", "%3E").replace("<", "%3C").replace("&", "&amp;")
