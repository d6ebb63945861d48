"""Cuts a stream into pieces, each complete in itself and within the limit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sympozium.chat.markup.clusters import clusters
from sympozium.chat.markup.flow import Close, Element, Gap, Ink, Level, Line, Open, Word
from sympozium.chat.markup.length import LengthUnit, Limit, measure
from sympozium.chat.markup.page import Cut, Page

LONGEST_WORD = 4
"""A word takes at most one fourth of a message; a longer one comes in parts."""
WORD_PART = 8
"""Those parts take one eighth each, so that they fill messages well."""


@dataclass(frozen=True)
class Piece:
    """One message of an answer."""

    text: str
    """In the dialect, within the limit, complete in itself."""
    plain: str
    """The same words without markup, within the limit: sent when a platform refuses the markup."""


def split(elements: Sequence[Element], limit: Limit, *, is_dedented: bool = False) -> list[Piece]:
    """Return the pieces of a stream, in order; none of them is blank.

    A piece ends at the best place in its second half: between blocks, lines, sentences,
    words, in this order. With *is_dedented* a piece that begins within a list begins at
    the left margin, for dialects in which an indented line is code.
    """
    pieces: list[Piece] = []
    page = Page(limit, is_dedented)
    index = 0
    while True:
        cut = _fill(page, elements, index)
        ink = page.inks(cut)
        if ink.text.strip():
            pieces.append(Piece(ink.text, ink.plain))
        if cut.index >= len(elements):
            return pieces
        page = Page(limit, is_dedented, wanted=list(cut.wanted), rest=cut.rest)
        index = cut.index


def _fill(page: Page, elements: Sequence[Element], index: int) -> Cut:
    """Write elements from *index* on until the page is full; return where to cut it."""
    best: dict[Level, Cut] = {}
    for here in range(index, len(elements)):
        element = elements[here]
        match element:
            case Word():
                if not page.word(element):
                    return _best_cut(best, page.cut(here), page.limit)
            case Gap(level=level) | Line(level=level):
                if not page.is_blank:
                    best[level] = page.cut(here)
                if isinstance(element, Gap):
                    page.gap(element)
                else:
                    page.line(element)
            case Open():
                page.open(element)
            case Close():
                page.close(element)
    return page.cut(len(elements))


def _best_cut(best: dict[Level, Cut], here: Cut, limit: Limit) -> Cut:
    for level in sorted(best, reverse=True):
        if best[level].size * 2 >= limit.size:
            return best[level]
    between = [cut for level, cut in best.items() if level > Level.ANYWHERE]
    latest = max(between, key=lambda cut: cut.index, default=here)
    return latest if latest.size * LONGEST_WORD >= limit.size else here


def words(text: str, write: Callable[[str], Word], limit: Limit) -> Iterator[Word]:
    """Yield *text*, which has no gaps, as *write* writes it; if it is too long, in parts.

    No part ends within what a reader takes for one character, unless that alone is longer.
    """
    whole = write(text)
    if measure(longest(whole), limit.unit) <= limit.size // LONGEST_WORD:
        yield whole
        return
    size = limit.size // WORD_PART
    seen = list(clusters(text))
    for start in range(0, len(seen), size):
        yield from _halves(seen[start : start + size], write, size, limit.unit)


def _halves(
    seen: Sequence[str], write: Callable[[str], Word], size: int, unit: LengthUnit
) -> Iterator[Word]:
    """Yield *seen* as one word if that is no longer than *size*, else as words of its halves."""
    word = write("".join(seen))
    if measure(longest(word), unit) <= size:
        yield word
        return
    atoms = seen if len(seen) > 1 else seen[0]
    middle = len(atoms) // 2
    for half in (atoms[:middle], atoms[middle:]):
        yield from _halves(list(half), write, size, unit)


def longest(word: Word) -> str:
    """Return the longer of the ways in which *word* may be written."""
    return max(word.ink.text, word.ink.plain, word.at_line_start, key=len)


def one_line(elements: Sequence[Element]) -> Ink:
    """Return a stream of one line as one ink, however long it is."""
    page = Page(Limit(2**62, LengthUnit.CODE_POINTS), is_dedented=False)
    return page.inks(_fill(page, elements, 0))


def fits(elements: Sequence[Element], limit: Limit) -> bool:
    """Return whether a stream fits in one piece."""
    return _fill(Page(limit, is_dedented=False), elements, 0).index == len(elements)
