"""Telegram's HTML.

Telegram refuses a whole message for one tag it does not know, so nothing but its own few
tags is written, properly nested.

Source: https://core.telegram.org/bots/api#html-style
"""

from html import escape

from sympozium.chat.markup.dialect import Dialect
from sympozium.chat.markup.flow import Ink, Mark
from sympozium.chat.markup.tree import SpanKind
from sympozium.chat.markup.writer import Traits

_TAGS = {SpanKind.BOLD: "b", SpanKind.ITALIC: "i", SpanKind.STRIKE: "s"}


class TelegramWriter:
    """Writes Telegram's HTML."""

    traits = Traits(
        dialect=Dialect.TELEGRAM,
        # Telegram drops a link to anything else, and tg:// can mention a person.
        schemes=frozenset({"http", "https"}),
        bullets=("• ", "◦ ", "▪ "),
        rule="———",
        list_indent=4,
        shows_code_in_links=False,
        shows_code_in_spans=False,
    )

    def word(self, word: str) -> str:
        """Return *word* with entities."""
        return escape(word, quote=False)

    def word_at_line_start(self, word: str) -> str:
        """Return *word* with entities; the place makes no difference in HTML."""
        return escape(word, quote=False)

    def plain(self, text: str) -> str:
        """Return *text* as it is."""
        return text

    def code(self, text: str) -> str:
        """Return *text* with entities."""
        return escape(text, quote=False)

    def in_fence(self, line: str) -> str:
        """Return *line* as it is."""
        return line

    def span(self, kind: SpanKind) -> Mark:
        """Return a tag."""
        return _tag(_TAGS[kind])

    def code_span(self, code: str) -> Mark | None:
        """Return the tag for code."""
        return _tag("code")

    def fence(self, language: str, code: str) -> Mark:
        """Return the tag for a block of code, which names the language if there is one."""
        if not language:
            return Mark(Ink("<pre>", ""), Ink("</pre>", ""), spans_lines=True)
        opening = f'<pre><code class="language-{escape(language)}">'
        return Mark(Ink(opening, ""), Ink("</code></pre>", ""), spans_lines=True)

    def link(self, url: str) -> Mark:
        """Return an anchor."""
        return Mark(Ink(f'<a href="{escape(url)}">', ""), Ink("</a>", f" ({url})"))

    def address(self, url: str) -> str:
        """Return the address; Telegram makes it a link."""
        return escape(url, quote=False)

    def heading(self, level: int) -> tuple[str, Mark | None]:
        """Return bold, and underlined for a title: there are no headings."""
        if level > 1:
            return "", _tag("b")
        return "", Mark(Ink("<b><u>", ""), Ink("</u></b>", ""))

    def quote(self) -> tuple[str, Mark | None]:
        """Return the tag of a quote."""
        opening, closing = Ink("<blockquote>", ""), Ink("</blockquote>", "")
        return "", Mark(opening, closing, spans_lines=True, holds_prefix=True)


def _tag(name: str) -> Mark:
    return Mark(Ink(f"<{name}>", ""), Ink(f"</{name}>", ""))
