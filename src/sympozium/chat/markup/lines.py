"""Writes what stands within lines into a stream: words, spans, code, links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sympozium.chat.markup import links
from sympozium.chat.markup.flow import Close, Element, Gap, Ink, Level, Line, Mark, Open, Word
from sympozium.chat.markup.inline import words_of
from sympozium.chat.markup.length import Limit, measure
from sympozium.chat.markup.neutral import (
    harmless,
    harmless_code,
    harmless_plain_code,
    harmless_url,
)
from sympozium.chat.markup.split import words
from sympozium.chat.markup.tree import Break, Code, Inline, Link, Span, SpanKind, Text
from sympozium.chat.markup.writer import Writer

LONGEST_MARK = 4
"""A mark takes at most one fourth of a message: the address of a link that is longer is text."""

_SENTENCE_ENDS = frozenset(".!?…:;")
_WIDE_SENTENCE_END = "。！？"
_TOKEN = re.compile(rf"\s+|[^\s{_WIDE_SENTENCE_END}]*[{_WIDE_SENTENCE_END}]+|\S+")
_CODE_TOKEN = re.compile(r"\S*\s*")


@dataclass
class LineWriter:
    """Writes the inner nodes of blocks into *elements*."""

    writer: Writer
    limit: Limit
    elements: list[Element]
    _spans: list[Mark] = field(default_factory=list)
    _kinds: list[SpanKind] = field(default_factory=list)

    def write(self, nodes: tuple[Inline, ...], line_end: Line | None) -> None:
        """Write *nodes*; each of their lines but the first begins as *line_end* says.

        Without it, all is one line.
        """
        for node in nodes:
            match node:
                case Text(text):
                    self.elements += self.text(harmless(text, self.writer.traits.dialect))
                case Break(is_hard):
                    self._break(line_end, is_hard)
                case Code(text):
                    self._code(text)
                case Span(kind, children):
                    self._span(kind, children, line_end)
                case Link():
                    self._link(node)

    def within(self, kind: SpanKind, mark: Mark, nodes: tuple[Inline, ...]) -> None:
        """Write *nodes* as one line within *mark*, which shows them as *kind* does."""
        self._enter(kind, mark)
        self.write(nodes, None)
        self._leave()

    def text(self, text: str) -> Iterator[Element]:
        """Yield the words and gaps of *text*, which mentions nobody."""
        for found in _TOKEN.finditer(text):
            token = found.group()
            if token.isspace():
                end = text[found.start() - 1 : found.start()]
                yield Gap(token, Level.SENTENCE if end in _SENTENCE_ENDS else Level.WORD)
                continue
            yield from words(token, self._word, self.limit)
            if token[-1] in _WIDE_SENTENCE_END:
                yield Gap("", Level.SENTENCE)

    def code_line(self, line: str) -> Iterator[Element]:
        """Yield one line of a block of code, spaces and all; a long one can be cut at spaces."""
        line = self.writer.in_fence(harmless_code(line, self.writer.traits.dialect))
        whole = self._code_word(line)
        if measure(whole.ink.text, self.limit.unit) <= self.limit.size // LONGEST_MARK:
            yield whole
            return
        for found in _CODE_TOKEN.finditer(line):
            if found.group():
                yield from words(found.group(), self._code_word, self.limit)
                yield Gap("")

    def fits(self, *inks: Ink) -> bool:
        """Return whether a mark of *inks* leaves room enough for words."""
        longest = max(
            measure("".join(ink.text for ink in inks), self.limit.unit),
            measure("".join(ink.plain for ink in inks), self.limit.unit),
        )
        return longest <= self.limit.size // LONGEST_MARK

    def _word(self, word: str) -> Word:
        written = self.writer.word(word)
        # No letter begins a heading, a list or a quote.
        is_letter = word[0].isalpha()
        at_line_start = written if is_letter else self.writer.word_at_line_start(word)
        return Word(
            Ink(written, self.writer.plain(word)),
            at_line_start if at_line_start != written else "",
        )

    def _code_word(self, word: str) -> Word:
        plain = harmless_plain_code(word, self.writer.traits.dialect)
        return Word(Ink(self.writer.code(word), self.writer.plain(plain)))

    def _break(self, line_end: Line | None, is_hard: bool) -> None:
        if line_end is None:
            self.elements.append(Gap(" "))
            return
        ending = self.writer.traits.line_break if is_hard else ""
        self.elements.append(
            Line(line_end.prefix, line_end.rest, line_end.level, ending=ending) if ending
            else line_end
        )  # fmt: skip

    def _span(self, kind: SpanKind, children: tuple[Inline, ...], line_end: Line | None) -> None:
        if kind in self._kinds:
            self.write(children, line_end)
            return
        self._enter(kind, self.writer.span(kind))
        self.write(children, line_end)
        self._leave()

    def _enter(self, kind: SpanKind, mark: Mark) -> None:
        self._kinds.append(kind)
        self._spans.append(mark)
        self.elements.append(Open(mark))

    def _leave(self) -> None:
        self._kinds.pop()
        self._spans.pop()
        self.elements.append(Close())

    def _code(self, code: str) -> None:
        mark = self.writer.code_span(code)
        if mark is None:
            self.elements += self.text(harmless(code, self.writer.traits.dialect))
            return
        # An @ at the end is parted from a name that follows outside of the code.
        code = harmless_code(code, self.writer.traits.dialect)
        code = harmless(code, self.writer.traits.dialect) if code.endswith("@") else code
        outer = [] if self.writer.traits.shows_code_in_spans else self._spans
        self.elements += [Close() for _ in outer]
        self.elements.append(Open(mark))
        for found in _TOKEN.finditer(code):
            token = found.group()
            if token.isspace():
                self.elements.append(Gap(token))
            else:
                self.elements += words(token, self._code_word, self.limit)
        self.elements.append(Close())
        self.elements += [Open(span) for span in outer]

    def _link(self, link: Link) -> None:
        target = harmless_url(link.target)
        scheme = links.scheme_of(target)
        if scheme not in self.writer.traits.schemes:
            self._unlinked(link, target)
        elif links.is_wordless(link) or (links.says_its_target(link) and scheme != "mailto"):
            self._address(target)
        else:
            self._linked(link, target)

    def _linked(self, link: Link, target: str) -> None:
        mark = self.writer.link(target)
        if not self.fits(mark.opening, mark.closing):
            self._unlinked(link, target)
            return
        inner = link.children
        match inner:
            case (Span(kind, children),) if not self.writer.traits.shows_spans_in_links:
                # Bold within a link cannot be shown, a link within bold can.
                self._span(kind, (Link(link.target, children),), None)
                return
        is_misleading = links.misleads(link)
        if is_misleading or links.says_its_target(link):
            mark = replace(mark, closing=Ink(mark.closing.text, ""))
        self.elements.append(Open(mark))
        self.write(self._shown_in_links(inner), None)
        self.elements.append(Close())
        if is_misleading:
            self._in_brackets(target)

    def _shown_in_links(self, nodes: tuple[Inline, ...]) -> tuple[Inline, ...]:
        traits = self.writer.traits
        if not traits.shows_spans_in_links:
            return (Text(words_of(nodes)),)
        if traits.shows_code_in_links:
            return nodes
        return tuple(self._without_code(node) for node in nodes)

    def _without_code(self, node: Inline) -> Inline:
        match node:
            case Code(text):
                return Text(text)
            case Span(kind, children):
                return Span(kind, tuple(self._without_code(child) for child in children))
        return node

    def _unlinked(self, link: Link, target: str) -> None:
        """Write a link as its text, and its target as text too if the text does not say it."""
        self.write(link.children, None)
        if target and not links.says_its_target(link):
            self.elements.append(Gap(" "))
            self.elements += self.text(harmless(f"({target})", self.writer.traits.dialect))

    def _in_brackets(self, target: str) -> None:
        self.elements += [Gap(" "), Word(Ink("(", "("))]
        self._address(target)
        self.elements.append(Word(Ink(")", ")")))

    def _address(self, target: str) -> None:
        ink = Ink(self.writer.address(target), self.writer.plain(target))
        if self.fits(ink):
            self.elements.append(Word(ink))
        else:
            self.elements += self.text(harmless(target, self.writer.traits.dialect))
