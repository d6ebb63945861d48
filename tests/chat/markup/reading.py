"""Reads what was rendered, as the platforms do, as far as the tests need it."""

import re
from html.parser import HTMLParser
from typing import Final

from typing_extensions import override

from sympozium.chat.markup import Dialect
from sympozium.chat.markup.inline import spoken
from sympozium.chat.markup.parse import parse
from sympozium.chat.markup.tree import (
    Block,
    Fence,
    Heading,
    Listing,
    Paragraph,
    Quote,
    Table,
)

_OF_ADDRESSES = frozenset("abcdefghijklmnopqrstuvwxyzABCDEF")

PINGS: Final = {
    Dialect.SLACK: re.compile(r"<[!@#]|@(?:channel|here|everyone)", re.IGNORECASE),
    Dialect.TELEGRAM: re.compile(r"(?<![A-Za-z0-9_])@\w"),
    Dialect.DISCORD: re.compile(r"@(?:everyone|here)|<@[!&]?\d|<#\d", re.IGNORECASE),
    Dialect.MARKDOWN: re.compile(
        r"<@[!&]?[A-Z0-9]|<#[A-Z0-9]|<!(?:channel|here|everyone|subteam)|@(?:channel|here|everyone)",
        re.IGNORECASE,
    ),
}


def letters(text: str) -> str:
    """Return the letters of *text* in order, but for those that addresses are made of.

    These are small ASCII letters and A to F, for an address is repeated where a link is cut,
    and percent-encoded more than once where it is so long that it became text.
    """
    return "".join(c for c in text if c.isalpha() and c not in _OF_ADDRESSES)


def letters_of(blocks: tuple[Block, ...]) -> str:
    """Return the letters of a tree."""
    return "".join(letters(text) for text in _texts(blocks))


def _texts(blocks: tuple[Block, ...]) -> list[str]:
    found: list[str] = []
    for block in blocks:
        match block:
            case Paragraph(children) | Heading(children=children):
                found.append(spoken(children))
            case Fence(text=text):
                found.append(text)
            case Quote(inner):
                found += _texts(inner)
            case Listing(items):
                for item in items:
                    found += _texts(item.blocks)
            case Table(header=header, rows=rows):
                found += [spoken(cell) for row in (header, *rows) for cell in row]
    return found


def letters_read_again(markdown: str) -> str:
    """Return the letters that a reader of standard Markdown sees."""
    return letters_of(parse(markdown))


class TelegramReader(HTMLParser):
    """Reads a message as Telegram does, and refuses what Telegram refuses or drops."""

    TAGS: Final = frozenset({"b", "i", "u", "s", "code", "pre", "a", "blockquote"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""
        self.text_outside_code = ""

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.TAGS
        assert tag not in self.open
        assert not {"pre", "code"} & set(self.open) or (tag == "code" and self.open[-1] == "pre")
        if tag == "code" and "pre" not in self.open:
            assert not {"b", "i", "u", "s", "a"} & set(self.open)
        match tag, attrs:
            case "a", [("href", str(target))]:
                assert target.startswith(("http://", "https://"))
            case "code", [("class", str(name))]:
                assert name.startswith("language-")
                assert self.open[-1] == "pre"
            case _:
                assert attrs == []
        self.open.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        self.text += data
        self.text_outside_code += "\n" if {"pre", "code"} & set(self.open) else data

    @override
    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    @override
    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    @override
    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)

    @override
    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)


def read_telegram(html: str) -> TelegramReader:
    """Return *html* as it was read.

    Raises:
        AssertionError: Telegram would not show it as it is meant.
    """
    reader = TelegramReader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader
