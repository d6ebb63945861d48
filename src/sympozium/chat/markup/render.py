"""An answer as a platform shows it."""

from sympozium.chat.markup.compose import compose
from sympozium.chat.markup.dialect import Dialect
from sympozium.chat.markup.discord import DiscordWriter
from sympozium.chat.markup.length import Limit
from sympozium.chat.markup.neutral import harmless, without_controls, without_surrogates
from sympozium.chat.markup.parse import parse, parse_newest
from sympozium.chat.markup.slack import SlackWriter
from sympozium.chat.markup.split import Piece, split
from sympozium.chat.markup.standard import StandardWriter
from sympozium.chat.markup.tail import newest
from sympozium.chat.markup.telegram import TelegramWriter
from sympozium.chat.markup.writer import Writer

_WRITERS: dict[Dialect, Writer] = {
    Dialect.SLACK: SlackWriter(),
    Dialect.TELEGRAM: TelegramWriter(),
    Dialect.DISCORD: DiscordWriter(),
    Dialect.MARKDOWN: StandardWriter(),
}

_NEWEST = 4
"""A preview is made from so many times the characters that it can show: markup takes the rest."""


def render(markdown: str, dialect: Dialect, limit: Limit) -> list[Piece]:
    """Return the pieces of an answer, in order: at least one unless it is blank.

    Each is within *limit* as text and as plain text, and complete in itself: what is open
    where a piece ends is closed there and opened again in the next. No piece mentions
    anybody, whatever the model wrote.
    """
    writer = _WRITERS[dialect]
    elements = compose(parse(markdown), writer, limit)
    return split(elements, limit, is_dedented=writer.traits.is_dedented)


def preview(markdown: str, dialect: Dialect, limit: Limit) -> Piece:
    """Return one piece that shows a growing answer: its newest part where it is too long.

    Such a part begins with an ellipsis. Code and quotes that are still open are closed. A
    blank answer gives a blank piece.
    """
    writer = _WRITERS[dialect]
    blocks, is_whole = parse_newest(markdown, limit.size * _NEWEST)
    elements = newest(compose(blocks, writer, limit), limit, is_whole=is_whole)
    pieces = split(elements, limit, is_dedented=writer.traits.is_dedented)
    return pieces[-1] if pieces else Piece("", "")


def escape(text: str, dialect: Dialect) -> str:
    """Return plain text as the dialect writes it literally: nothing is markup, nothing pings.

    For names, error sentences, status lines. Lines stay lines; spaces before them go.
    """
    writer = _WRITERS[dialect]
    clean = without_controls(without_surrogates(text))
    return "\n".join(_escaped_line(line, writer) for line in clean.split("\n"))


def _escaped_line(line: str, writer: Writer) -> str:
    first, *others = harmless(line, writer.traits.dialect).lstrip().split(" ")
    return " ".join([writer.word_at_line_start(first), *(writer.word(word) for word in others)])
