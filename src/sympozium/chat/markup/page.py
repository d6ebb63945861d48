"""One piece while it is written."""

from dataclasses import dataclass, field
from typing import Literal

from sympozium.chat.markup.flow import NO_INK, Close, Gap, Ink, Line, Mark, Open, Word
from sympozium.chat.markup.length import Limit, measure

_SAFE_BEFORE = frozenset(" \n\t([{\"'“‘–—/,;:.?")
_SAFE_AFTER = frozenset(" \n\t)]}\"'”’–—/,;:.!?…")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mark around what comes next, and whether it was ever written."""

    mark: Mark
    was_written: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """A place where a page can end, and what the next page must know to go on."""

    index: int
    """Of the element with which the next page begins."""
    parts: int
    size: int
    wanted: tuple[Wanted, ...]
    written: int
    rest: Ink


@dataclass
class Page:
    """One piece of at most *limit*; *wanted* and *rest* are what the page before left open."""

    limit: Limit
    is_dedented: bool
    wanted: list[Wanted] = field(default_factory=list)
    rest: Ink = NO_INK
    _texts: list[str] = field(default_factory=list)
    _plains: list[str] = field(default_factory=list)
    _text_size: int = 0
    _plain_size: int = 0
    _written: int = 0
    """How many of *wanted*, from the outermost, are open on the page."""
    _lines: list[Line] = field(default_factory=list)
    _gap: str = ""
    _last: Literal["nothing", "word", "closing"] = "nothing"
    _closed: Mark | None = None
    _dedent: int | None = None

    @property
    def is_blank(self) -> bool:
        """Whether nothing is written yet."""
        return not self._texts

    @property
    def size(self) -> int:
        """The length of the text if the page ended here."""
        return self._text_size

    def cut(self, index: int) -> Cut:
        """Return this place, before element *index*, as one where the page can end."""
        return Cut(
            index=index,
            parts=len(self._texts),
            size=self.size,
            wanted=tuple(self.wanted),
            written=self._written,
            rest=self.rest,
        )

    def inks(self, cut: Cut) -> Ink:
        """Return what is on the page up to *cut*, with everything closed that is open there."""
        marks = [entry.mark for entry in reversed(cut.wanted[: cut.written])]
        texts = [*self._texts[: cut.parts], *(self._lead(m.closing.text, cut.rest) for m in marks)]
        plains = [*self._plains[: cut.parts], *(m.closing.plain for m in marks)]
        return Ink("".join(texts), "".join(plains))

    def open(self, element: Open) -> None:
        """Want a mark from here on."""
        self.wanted.append(Wanted(element.mark, was_written=element.is_again))

    def close(self, _: Close) -> None:
        """Want the last mark no more; if it is written, close it here."""
        entry = self.wanted.pop()
        if self._written > len(self.wanted):
            self._written -= 1
            self._write_closing(entry.mark)

    def gap(self, gap: Gap) -> None:
        """Leave a gap before the next word."""
        if not self._lines and self._last != "nothing":
            self._gap += gap.text

    def line(self, line: Line) -> None:
        """End the line and with it the marks that end with a line."""
        while self._written and not self.wanted[self._written - 1].mark.spans_lines:
            self._written -= 1
            self._write_closing(self.wanted[self._written].mark)
        self._gap = ""
        self._lines.append(line)
        self.rest = line.rest

    def word(self, word: Word) -> bool:
        """Write *word* with all that must stand before it; if it does not fit, change nothing."""
        if self._last == "word" and not self._lines and self._written == len(self.wanted):
            # Nearly every word: nothing but a gap stands before it.
            ink = word.ink
            return self._write(self._gap + ink.text, self._gap + ink.plain, [])
        dedent = self._dedent
        wanted = self.wanted[self._written :]
        inks = self._before(word, wanted)
        text, plain = "".join(i.text for i in inks), "".join(i.plain for i in inks)
        if not self._write(text, plain, [entry.mark.closing for entry in wanted]):
            self._dedent = dedent
            return False
        if wanted:
            self.wanted = [Wanted(entry.mark, was_written=True) for entry in self.wanted]
            self._written = len(self.wanted)
        return True

    def _before(self, word: Word, wanted: list[Wanted]) -> list[Ink]:
        """Return all that must stand before *word*, with the marks of *wanted*, and the word."""
        starts_line = self.is_blank or bool(self._lines)
        inks = self._leading([entry for entry in wanted if entry.mark.holds_prefix])
        inks += self._openings(
            [entry for entry in wanted if not entry.mark.holds_prefix],
            touches=not starts_line and not inks,
        )
        ink = word.ink
        if starts_line and word.at_line_start:
            ink = Ink(word.at_line_start, ink.plain)
        return [*(inks or self._parting(ink)), ink]

    def _write(self, text: str, plain: str, closings: list[Ink]) -> bool:
        """Write *text* if it fits with *closings*, which are owed from now on."""
        text_size = self._text_size + self._size(text)
        plain_size = self._plain_size + self._size(plain)
        for closing in closings:
            text_size += self._size(self._lead(closing.text, self.rest))
            plain_size += self._size(closing.plain)
        if text_size > self.limit.size or plain_size > self.limit.size:
            return False
        self._texts.append(text)
        self._plains.append(plain)
        self._text_size, self._plain_size = text_size, plain_size
        self._lines, self._gap, self._last = [], "", "word"
        return True

    def _write_closing(self, mark: Mark) -> None:
        # Its size was counted when the mark was opened.
        self._texts.append(self._lead(mark.closing.text, self.rest))
        self._plains.append(mark.closing.plain)
        self._last, self._closed = "closing", mark

    def _leading(self, holders: list[Wanted]) -> list[Ink]:
        """Return the line ends and prefixes, or the gap, before the next word.

        The marks of *holders* stand before the last prefix.
        """
        openings = self._openings(holders, touches=False)
        if not self._lines:
            if self.is_blank:
                rest = [self._prefix(self.rest)] if self.rest != NO_INK else []
                return openings + rest
            return [Ink(self._gap, self._gap)] if self._gap else []
        lines = self._lines
        if self.is_blank:
            lines = [line for line in lines[:-1] if line.is_kept] + lines[-1:]
        inks: list[Ink] = []
        for number, line in enumerate(lines):
            if number or not self.is_blank:
                inks.append(Ink(line.ending + "\n", "\n"))
                if line.blank is not None:
                    inks += [self._bare_prefix(line.blank), Ink("\n", "\n")]
            if number < len(lines) - 1:
                inks.append(self._bare_prefix(line.prefix))
        return [*inks, *openings, self._prefix(lines[-1].prefix)]

    def _prefix(self, prefix: Ink) -> Ink:
        """Return *prefix*, moved left as far as the first line of the page is."""
        if not self.is_dedented:
            return prefix
        spaces = len(prefix.text) - len(prefix.text.lstrip(" "))
        if self._dedent is None:
            self._dedent = spaces
        return Ink(prefix.text[min(spaces, self._dedent) :], prefix.plain)

    def _bare_prefix(self, prefix: Ink) -> Ink:
        moved = self._prefix(prefix)
        return Ink(moved.text.rstrip(), moved.plain.rstrip())

    def _openings(self, wanted: list[Wanted], *, touches: bool) -> list[Ink]:
        """Return the openings of marks, parted from what stands before them if that *touches*."""
        inks: list[Ink] = []
        for entry in wanted:
            again = entry.mark.reopening if entry.was_written else None
            opening = again or entry.mark.opening
            if touches and not inks:
                inks.append(Ink(self._parting_before(entry.mark), ""))
            inks.append(Ink(self._lead(opening.text, self.rest), opening.plain))
        return inks

    def _parting_before(self, mark: Mark) -> str:
        """Return what parts *mark* from what it would touch."""
        if self._last == "closing":
            return mark.seam
        return "" if self._texts[-1][-1:] in _SAFE_BEFORE else mark.guard

    def _parting(self, ink: Ink) -> list[Ink]:
        """Return what parts a word from the mark that was closed right before it."""
        if self._last != "closing" or self._closed is None or ink.text[:1] in _SAFE_AFTER:
            return []
        return [Ink(self._closed.guard, "")] if self._closed.guard else []

    def _lead(self, text: str, rest: Ink) -> str:
        if "\n" not in text:
            return text
        return text.replace("\n", "\n" + self._prefix(rest).text)

    def _size(self, text: str) -> int:
        return measure(text, self.limit.unit)
