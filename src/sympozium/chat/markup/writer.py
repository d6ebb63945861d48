"""What a dialect must know to write an answer: the port between the stream and the dialects."""

from dataclasses import dataclass
from typing import Protocol

from sympozium.chat.markup.dialect import Dialect
from sympozium.chat.markup.flow import Mark
from sympozium.chat.markup.tree import SpanKind


@dataclass(frozen=True)
class Traits:
    """What a dialect can and cannot show."""

    dialect: Dialect
    schemes: frozenset[str]
    """Links lead to these and no others."""
    bullets: tuple[str, ...]
    """One for each depth of a list, the last for all deeper ones."""
    rule: str
    """A line across."""
    list_indent: int = 0
    """Spaces before what belongs to an item; 0: as many as its bullet takes."""
    boxes: tuple[str, str] = ("☐ ", "☑ ")
    """What a task to do and a task done begin with."""
    line_break: str = ""
    """What a line ends with that must end there."""
    shows_spans_in_links: bool = True
    shows_code_in_links: bool = True
    shows_code_in_spans: bool = True
    shows_tables: bool = False
    """It has tables of its own; otherwise they are aligned in a block of code."""
    indents_code: bool = False
    """A block of code in a list is indented as the list is."""
    quotes_code: bool = False
    """Lines of code in a quote begin as the other lines of the quote do."""
    is_dedented: bool = False
    """A message must not begin with an indented line."""


class Writer(Protocol):
    """Writes the parts of an answer in one dialect. Every text comes without control characters."""

    @property
    def traits(self) -> Traits:
        """What the dialect can show."""

    def word(self, word: str) -> str:
        """Return *word* so that it is read as it stands."""

    def word_at_line_start(self, word: str) -> str:
        """Return *word* so that it is read as it stands where a line begins with it."""

    def plain(self, text: str) -> str:
        """Return *text* as it is sent where no markup is wanted."""

    def code(self, text: str) -> str:
        """Return *text* as it stands within a mark for code."""

    def in_fence(self, line: str) -> str:
        """Return a line of a block of code so that it does not end the block."""

    def span(self, kind: SpanKind) -> Mark:
        """Return the mark around text that is set off."""

    def code_span(self, code: str) -> Mark | None:
        """Return the mark around *code* in a line; None if the dialect cannot show it as code."""

    def fence(self, language: str, code: str) -> Mark:
        """Return the mark around the block *code*; *language* is a name or empty."""

    def link(self, url: str) -> Mark:
        """Return the mark that makes a text lead to *url*."""

    def address(self, url: str) -> str:
        """Return *url* itself as a link."""

    def heading(self, level: int) -> tuple[str, Mark | None]:
        """Return what the lines of a heading begin with, and the mark around it."""

    def quote(self) -> tuple[str, Mark | None]:
        """Return what the lines of a quote begin with, and the mark around it."""
