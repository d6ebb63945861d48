"""Writes a tree as a stream in one dialect."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sympozium.chat.markup import table
from sympozium.chat.markup.flow import Close, Element, Ink, Level, Line, Mark, Open, Word
from sympozium.chat.markup.inline import spoken
from sympozium.chat.markup.length import Limit
from sympozium.chat.markup.lines import LineWriter
from sympozium.chat.markup.margin import Margin, joined
from sympozium.chat.markup.neutral import harmless, harmless_code
from sympozium.chat.markup.split import one_line
from sympozium.chat.markup.tree import (
    Block,
    Cells,
    Fence,
    Heading,
    Inline,
    Item,
    Listing,
    Paragraph,
    Quote,
    Rule,
    SpanKind,
    Table,
)
from sympozium.chat.markup.writer import Writer

LONGEST_LANGUAGE = 24
_BULLETS = ("• ", "◦ ", "▪ ")
_PLAIN_BOXES = ("☐ ", "☑ ")
_PLAIN_RULE = "———"
_PLAIN_QUOTE = "> "


def compose(blocks: Sequence[Block], writer: Writer, limit: Limit) -> list[Element]:
    """Return the stream of *blocks* as *writer* writes it, to be split at *limit*."""
    elements: list[Element] = []
    composer = _Composer(writer, limit, elements, LineWriter(writer, limit, elements))
    composer.blocks(blocks, level=Level.BLOCK)
    return elements


@dataclass
class _Composer:
    writer: Writer
    limit: Limit
    elements: list[Element]
    lines: LineWriter
    margin: Margin = field(default_factory=Margin)
    first: Ink | None = None
    """What the next line begins with instead of the margin: a bullet."""
    level: Level = Level.BLOCK
    blank: Ink | None = None

    def blocks(self, blocks: Sequence[Block], *, level: Level, is_tight: bool = False) -> None:
        """Write *blocks*, a blank line between them unless *is_tight*."""
        for number, block in enumerate(blocks):
            if number:
                # A heading does not part from what it is the heading of.
                is_headed = isinstance(blocks[number - 1], Heading)
                self._separate(Level.ANYWHERE if is_headed else level, is_tight=is_tight)
            self._block(block)

    def _separate(self, level: Level, *, is_tight: bool) -> None:
        self.level = level
        self.blank = None if is_tight else self.margin.ink

    def _block(self, block: Block) -> None:
        match block:
            case Paragraph(children):
                self._paragraph(children)
            case Heading():
                self._heading(block)
            case Fence():
                self._fence(block)
            case Quote():
                self._quote(block)
            case Listing():
                self._listing(block)
            case Rule():
                self._start_line()
                self.elements.append(Word(Ink(self.writer.traits.rule, _PLAIN_RULE)))
            case Table():
                self._table(block)

    def _start_line(self, sign: Ink | None = None) -> Line:
        """Begin a line with *sign*; return how the lines that go on with it begin."""
        begin, rest = self.first or self.margin.ink, self.margin.ink
        if sign is not None:
            begin, rest = joined(begin, sign), joined(rest, sign)
        self.elements.append(
            Line(begin, rest, self.level, self.blank, is_kept=self.first is not None)
        )
        self.first, self.level, self.blank = None, Level.LINE, None
        return Line(rest, rest)

    def _start_code(self) -> Line:
        """Begin the first line of a block of code; return how its further lines begin."""
        code = self.margin.code
        if code == self.margin.ink:
            return self._start_line()
        if self.first is not None:
            self._start_line()
            self.level = Level.ANYWHERE
        self.elements.append(Line(code, code, self.level, self.blank))
        self.level, self.blank = Level.LINE, None
        return Line(code, code)

    def _paragraph(self, children: tuple[Inline, ...]) -> None:
        self.lines.write(children, self._start_line())

    def _heading(self, heading: Heading) -> None:
        sign, mark = self.writer.heading(heading.level)
        self._start_line(Ink(sign, ""))
        if mark is None:
            self.lines.write(heading.children, None)
        else:
            self.lines.within(SpanKind.BOLD, mark, heading.children)

    def _fence(self, fence: Fence) -> None:
        lines = _without_blank_ends(fence.text.split("\n"))
        language = fence.language if _is_name(fence.language) else ""
        self._code_block(self._fence_mark(language, fence.text), lines)

    def _fence_mark(self, language: str, text: str) -> Mark:
        mark = self.writer.fence(language, text)
        fits = self.lines.fits(mark.opening, mark.closing)
        return mark if fits else self.writer.fence("", text)

    def _code_block(self, mark: Mark, lines: Sequence[str]) -> None:
        next_line = self._start_code()
        self.elements.append(Open(mark))
        for number, line in enumerate(lines):
            if number:
                # A blank line is a better place to cut code.
                is_blank = not lines[number - 1].strip()
                self.elements.append(
                    replace(next_line, level=Level.ITEM if is_blank else Level.LINE)
                )
            if line:
                self.elements += self.lines.code_line(line)
        self.elements.append(Close())

    def _quote(self, quote: Quote) -> None:
        sign, mark = self.writer.quote()
        if self.margin.is_quoted:
            # Platforms have one level of quotes; in a deeper one the sign is a word.
            sign, mark = (sign if self.writer.traits.indents_code else self._literal_sign()), None
        outer = self.margin
        step = Ink(sign, self.writer.plain(_PLAIN_QUOTE))
        with_code = self.writer.traits.quotes_code
        self.margin = replace(
            outer.moved(step, with_code=with_code, limit=self.limit), is_quoted=True
        )
        if self.first is not None:
            self.first = joined(self.first, step)
        if mark is not None:
            self.elements.append(Open(mark))
        self.blocks(quote.blocks, level=Level.ITEM)
        if mark is not None:
            self.elements.append(Close())
        self.margin, self.first = outer, None

    def _literal_sign(self) -> str:
        return self.writer.word_at_line_start(">") + " "

    def _listing(self, listing: Listing) -> None:
        outer = self.margin
        for number, item in enumerate(listing.items):
            if number:
                self._separate(Level.ITEM, is_tight=listing.is_tight)
            self._item(item, self._bullet(listing, number), is_tight=listing.is_tight)
            self.margin = outer

    def _item(self, item: Item, bullet: Ink, *, is_tight: bool) -> None:
        outer, traits = self.margin, self.writer.traits
        width = traits.list_indent or len(bullet.text)
        step = Ink(" " * width, " " * (traits.list_indent or 4))
        self.first = joined(self.first or outer.ink, joined(bullet, self._box(item)))
        moved = outer.moved(step, with_code=traits.indents_code, limit=self.limit)
        self.margin = replace(moved, lists=outer.lists + 1)
        self.blocks(item.blocks, level=Level.LINE, is_tight=is_tight)
        if self.first is not None:
            self._start_line()

    def _bullet(self, listing: Listing, number: int) -> Ink:
        depth = self.margin.lists
        if listing.start is not None:
            text = f"{listing.start + number}{listing.delimiter} "
            return Ink(text, text)
        bullets = self.writer.traits.bullets
        text = bullets[min(depth, len(bullets) - 1)]
        if self.writer.traits.shows_tables:
            text = f"{listing.delimiter} "
        return Ink(text, _BULLETS[min(depth, len(_BULLETS) - 1)])

    def _box(self, item: Item) -> Ink:
        if item.is_checked is None:
            return Ink("", "")
        return Ink(self.writer.traits.boxes[item.is_checked], _PLAIN_BOXES[item.is_checked])

    def _table(self, block: Table) -> None:
        if not (self.writer.traits.shows_tables and self._own_table(block)):
            self._aligned_table(block)

    def _aligned_table(self, block: Table) -> None:
        head, rows = self._aligned(block)
        mark = self._fence_mark("", "\n".join([*head, *rows]))
        again = "".join(
            self.writer.in_fence(harmless_code(line, self.writer.traits.dialect)) + "\n"
            for line in head
        )
        reopening = joined(mark.opening, Ink(self.writer.code(again), self.writer.plain(again)))
        if self.lines.fits(reopening, mark.closing):
            mark = replace(mark, reopening=reopening)
        self._code_block(mark, [*head, *rows])

    def _aligned(self, block: Table) -> tuple[list[str], list[str]]:
        rows = [self._cell_texts(row) for row in block.rows]
        return table.aligned(self._cell_texts(block.header), rows, block.aligns)

    def _cell_texts(self, cells: Cells) -> list[str]:
        dialect = self.writer.traits.dialect
        return [harmless(" ".join(spoken(cell).split()), dialect) for cell in cells]

    def _own_table(self, block: Table) -> bool:
        """Write a table of the dialect's own; return whether its rows are short enough."""
        (title, underline), plains = self._aligned(block)
        head = self._row(block.header, title)
        rule = Ink(table.ruled(block.aligns), underline)
        rows = [self._row(cells, plain) for cells, plain in zip(block.rows, plains, strict=True)]
        if not self.lines.fits(head, rule) or not all(self.lines.fits(row) for row in rows):
            return False
        next_line = self._start_line()
        self.elements.append(
            Open(Mark(_NOTHING, _NOTHING, reopening=_lines(head, rule), spans_lines=True))
        )
        self.elements += [Word(head), replace(next_line, level=Level.ANYWHERE), Word(rule)]
        for row in rows:
            self.elements += [next_line, Word(row)]
        self.elements.append(Close())
        return True

    def _row(self, cells: Cells, plain: str) -> Ink:
        text = " | ".join(self._cell(cell).replace("|", "\\|") for cell in cells)
        return Ink(f"| {text} |", self.writer.plain(plain))

    def _cell(self, cell: tuple[Inline, ...]) -> str:
        elements: list[Element] = []
        LineWriter(self.writer, self.limit, elements).write(cell, None)
        return one_line(elements).text


_NOTHING = Ink("", "")


def _lines(*inks: Ink) -> Ink:
    return Ink("".join(i.text + "\n" for i in inks), "".join(i.plain + "\n" for i in inks))


def _without_blank_ends(lines: list[str]) -> list[str]:
    filled = [number for number, line in enumerate(lines) if line.strip()]
    return lines[filled[0] : filled[-1] + 1] if filled else []


def _is_name(language: str) -> bool:
    """Return whether *language* is safe to stand in markup."""
    is_short = 0 < len(language) <= LONGEST_LANGUAGE
    return is_short and language.isascii() and all(c.isalnum() or c in "+-#._" for c in language)
