"""HTML as Telegram reads it: a text, its entities in UTF-16 units, or a refusal."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from typing_extensions import override

TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "code": "code",
    "pre": "pre",
    "a": "text_link",
    "blockquote": "blockquote",
    "tg-spoiler": "spoiler",
}
_ENTITY = re.compile(r"&(?!(?:lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);)")
_MENTION = re.compile(r"(?<![\w@/])@([A-Za-z]\w{2,31})")


class BadMarkupError(Exception):
    """What Telegram answers to markup that it cannot read."""


@dataclass
class Parsed:
    """A text as it is stored."""

    text: str
    entities: list[dict[str, Any]] = field(default_factory=list)

    @property
    def units(self) -> int:
        """Length in UTF-16 units."""
        return units(self.text)


def units(text: str) -> int:
    """Return the length of *text* in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def parse_html(text: str) -> Parsed:
    """Read *text* in HTML mode.

    Raises:
        BadMarkupError: With Telegram's sentence.
    """
    if bad := _ENTITY.search(text):
        # Telegram takes an unknown entity literally; what we send must not rely on it.
        raise BadMarkupError(f'unescaped "&" at byte offset {bad.start()}')
    reader = _Reader()
    reader.feed(text)
    reader.close()
    if reader.open:
        raise BadMarkupError(
            f'can\'t find end tag corresponding to start tag "{reader.open[-1][0]}"'
        )
    return Parsed(reader.text, reader.entities)


def mentioned(parsed: Parsed) -> list[str]:
    """Return the usernames that Telegram finds in a text by itself, outside of code."""
    code = [one for one in parsed.entities if one["type"] in ("code", "pre")]
    found = []
    for match in _MENTION.finditer(parsed.text):
        at = units(parsed.text[: match.start()])
        if not any(one["offset"] <= at < one["offset"] + one["length"] for one in code):
            found.append(match[1].lower())
    return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.entities: list[dict[str, Any]] = []
        self.open: list[tuple[str, int, dict[str, str]]] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            raise BadMarkupError(f'unsupported start tag "{tag}"')
        self.open.append((tag, units(self.text), {name: value or "" for name, value in attrs}))

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise BadMarkupError(f'unsupported start tag "{tag}/"')

    @override
    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1][0] != tag:
            raise BadMarkupError(f'unexpected end tag "{tag}"')
        _, begin, attributes = self.open.pop()
        length = units(self.text) - begin
        if length:
            self.entities.append(_entity(tag, begin, length, attributes))

    @override
    def handle_data(self, data: str) -> None:
        self.text += data

    @override
    def handle_comment(self, data: str) -> None:
        raise BadMarkupError('unsupported start tag "!--"')

    @override
    def handle_decl(self, decl: str) -> None:
        raise BadMarkupError('unsupported start tag "!"')


def _entity(tag: str, offset: int, length: int, attributes: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {"type": TAGS[tag], "offset": offset, "length": length}
    if tag == "a":
        url = attributes.get("href", "")
        if url.startswith("tg://user?id="):
            return {**made, "type": "text_mention", "user": {"id": int(url.rpartition("=")[2])}}
        made["url"] = url
    return made
