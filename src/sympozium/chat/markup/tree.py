"""An answer as a small tree: what Markdown can say, free of how it was written.

Every text in it is free of control characters and lone surrogates. Spans of one kind
never lie within each other and a link never lies within a link, so a tree is as deep
as its lists and quotes.
"""

from dataclasses import dataclass
from enum import StrEnum


class SpanKind(StrEnum):
    """How a span of text is set off."""

    BOLD = "bold"
    ITALIC = "italic"
    STRIKE = "strike"


@dataclass(frozen=True, slots=True)
class Text:
    """Words and the spaces between them."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Code within a line."""

    text: str


@dataclass(frozen=True, slots=True)
class Break:
    """The end of a line within a paragraph."""

    is_hard: bool


@dataclass(frozen=True, slots=True)
class Span:
    """Text that is set off."""

    kind: SpanKind
    children: "tuple[Inline, ...]"


@dataclass(frozen=True, slots=True)
class Link:
    """A link or an image; *target* is normalised: ASCII, percent-encoded."""

    target: str
    children: "tuple[Inline, ...]"
    is_bare: bool = False
    """The target was written itself, so its text says where it leads."""


Inline = Text | Code | Break | Span | Link


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines of text."""

    children: tuple[Inline, ...]
    is_tight: bool = False
    """It belongs to a list whose items stand without blank lines between them."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A title; *level* is 1 to 6."""

    level: int
    children: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Fence:
    """A block of code; *text* has no line feed at its end."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Quote:
    """Blocks that someone else said."""

    blocks: "tuple[Block, ...]"


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a list."""

    blocks: "tuple[Block, ...]"
    is_checked: bool | None = None
    """Of a task list; None: the item is no task."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list; *start* is its first number, or None if it has bullets."""

    items: tuple[Item, ...]
    start: int | None
    delimiter: str
    is_tight: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across."""


Cells = tuple[tuple[Inline, ...], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; each of *aligns* is `left`, `right`, `center` or empty, one a column."""

    aligns: tuple[str, ...]
    header: Cells
    rows: tuple[Cells, ...]


Block = Paragraph | Heading | Fence | Quote | Listing | Rule | Table
