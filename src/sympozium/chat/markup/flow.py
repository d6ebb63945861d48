"""An answer as a stream: words, gaps, lines and marks, in the order in which they are read.

A tree says what encloses what; a stream can be cut. Between any two elements a piece may
end, because every element knows how it is written and every mark how it is closed and
opened again.
"""

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How good a place is to end a piece, from the last resort to the best."""

    ANYWHERE = 0
    WORD = 1
    SENTENCE = 2
    LINE = 3
    ITEM = 4
    BLOCK = 5


@dataclass(frozen=True, slots=True)
class Ink:
    """Something as it is sent: in the dialect, and without markup."""

    text: str
    plain: str


NO_INK = Ink("", "")


@dataclass(frozen=True, slots=True)
class Mark:
    """Markup around a part of the stream.

    It is written when the first word in it is written, so a mark without words leaves no
    trace, and closed before the gap that follows it. A line feed in *opening* or *closing*
    is followed by what each line there begins with.
    """

    opening: Ink
    closing: Ink
    reopening: Ink | None = None
    """How it is opened again in a further piece, where that is not as the first time."""
    guard: str = ""
    """Zero-width text that parts it from a word which it touches, where the dialect needs that."""
    seam: str = ""
    """Zero-width text that parts it from a mark which was closed right before it."""
    spans_lines: bool = False
    """It stays open at the end of a line."""
    holds_prefix: bool = False
    """It is opened before what its first line begins with, not after."""


@dataclass(frozen=True, slots=True)
class Word:
    """Ink that no piece ends in; a word that is too long comes as several."""

    ink: Ink
    at_line_start: str = ""
    """The ink's text where it begins a line, if the dialect would read it as markup there."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Space between words, left out where a line ends; empty between sentences without any."""

    text: str
    level: Level = Level.WORD


@dataclass(frozen=True, slots=True)
class Line:
    """The beginning of a line."""

    prefix: Ink
    rest: Ink
    """What the further lines begin with, also in the next piece."""
    level: Level = Level.LINE
    blank: Ink | None = None
    """What the empty line above begins with; None: there is no empty line above."""
    is_kept: bool = False
    """It shows something even without words: a bullet."""
    ending: str = ""
    """What is written at the end of the line above, if that is in this piece."""


@dataclass(frozen=True, slots=True)
class Open:
    """From here on *mark* is wanted."""

    mark: Mark
    is_again: bool = False


@dataclass(frozen=True, slots=True)
class Close:
    """The mark that was opened last is no longer wanted."""


Element = Word | Gap | Line | Open | Close
