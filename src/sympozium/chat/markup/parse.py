"""Reads a model's Markdown into a tree."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from sympozium.chat.markup.bare_url import bare_url
from sympozium.chat.markup.emphasis import emphasis
from sympozium.chat.markup.inline import inlines
from sympozium.chat.markup.neutral import without_controls, without_surrogates
from sympozium.chat.markup.tree import (
    Block,
    Cells,
    Fence,
    Heading,
    Item,
    Listing,
    Paragraph,
    Quote,
    Rule,
    Table,
    Text,
)

MAX_LEVEL = 24
"""Lists and quotes within each other, a list counting twice; deeper ones are shown as text."""

MAX_BRACKETS = 2_000
"""Opening brackets in one paragraph; with more it is shown as text.

The parser tries a link at each of them. A hundred thousand would keep it busy for seconds.
"""

Tokens = Iterator[Token]


def parse(markdown: str) -> tuple[Block, ...]:
    """Return the blocks of *markdown*: CommonMark with tables, strikethrough, tasks, addresses.

    HTML is text. No text is lost, whatever is written.
    """
    tokens = _parser().parse(without_surrogates(markdown))
    return _blocks(iter(tokens), until="")


def parse_newest(markdown: str, least_chars: int) -> tuple[tuple[Block, ...], bool]:
    """Return the last blocks of *markdown*, of *least_chars* or more, and whether that is all.

    The blocks before them cost little time: what stands in their lines is not read.
    """
    env = {_LEAST_CHARS: least_chars}
    tokens = _parser().parse(without_surrogates(markdown), env)
    return _blocks(iter(tokens), until=""), _IS_CUT not in env


_LEAST_CHARS, _IS_CUT = "least_chars", "is_cut"


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": MAX_LEVEL + 4})
    parser.enable(["table", "strikethrough"])
    parser.inline.ruler.after("text", "bare_url", bare_url)
    parser.inline.ruler.at("emphasis", emphasis)
    parser.block.ruler.before("table", "too_deep", _too_deep)
    parser.core.ruler.before("inline", "too_dense", _too_dense)
    parser.core.ruler.before("inline", "only_newest", _only_newest)
    return parser


def _too_deep(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Take what lies too deep as one paragraph, where the parser would leave it out."""
    if silent or state.level < MAX_LEVEL:
        return False
    state.push("paragraph_open", "p", 1).map = [start, end]
    inline = state.push("inline", "", 0)
    inline.content = state.getLines(start, end, state.blkIndent, keepLastLF=False).strip()
    inline.map = [start, end]
    inline.children = []
    state.push("paragraph_close", "p", -1)
    state.line = end
    return True


def _too_dense(state: StateCore) -> None:
    """Keep paragraphs of countless brackets away from the inline parser."""
    for token in state.tokens:
        if token.type == "inline" and token.content.count("[") > MAX_BRACKETS:
            token.type = "text"
            token.children = [Token("text", "", 0, content=token.content)]


def _only_newest(state: StateCore) -> None:
    """Leave out the blocks before the newest, if only those are asked for."""
    missing = state.env.get(_LEAST_CHARS)
    if missing is None:
        return
    for index in range(len(state.tokens) - 1, 0, -1):
        token = state.tokens[index]
        missing -= len(token.content)
        if missing <= 0 and token.level == 0 and token.nesting >= 0:
            state.tokens = state.tokens[index:]
            state.env[_IS_CUT] = True
            return


def _blocks(tokens: Tokens, *, until: str) -> tuple[Block, ...]:
    found: list[Block] = []
    for token in tokens:
        if token.type == until:
            break
        found.append(_BUILDERS[token.type](token, tokens))
    return tuple(found)


def _paragraph(token: Token, tokens: Tokens) -> Paragraph:
    return Paragraph(_line(tokens, "paragraph_close"), is_tight=token.hidden)


def _heading(token: Token, tokens: Tokens) -> Heading:
    return Heading(int(token.tag[1:]), _line(tokens, "heading_close"))


def _line(tokens: Tokens, until: str) -> tuple[Any, ...]:
    children: tuple[Any, ...] = ()
    for token in tokens:
        if token.type == until:
            break
        children += inlines(token.children or [])
    return children


def _fence(token: Token, _: Tokens) -> Fence:
    words = without_controls(token.info).split()
    return Fence(words[0] if words else "", without_controls(token.content).rstrip("\n"))


def _quote(_: Token, tokens: Tokens) -> Quote:
    return Quote(_blocks(tokens, until="blockquote_close"))


def _listing(token: Token, tokens: Tokens) -> Listing:
    is_ordered = token.type == "ordered_list_open"
    items: list[Item] = []
    for inner in tokens:
        if inner.type == token.type.replace("open", "close"):
            break
        items.append(_item(tokens))
    return Listing(
        items=tuple(items),
        start=int(token.attrs.get("start", 1)) if is_ordered else None,
        delimiter=token.markup,
        is_tight=all(
            block.is_tight
            for item in items
            for block in item.blocks
            if isinstance(block, Paragraph)
        ),
    )


def _item(tokens: Tokens) -> Item:
    blocks = _blocks(tokens, until="list_item_close")
    match blocks:
        case (Paragraph(children=(Text(text), *rest)) as first, *others):
            box, space, words = text[:3], text[3:4], text[4:]
            if box in _BOXES and (space == " " or (not space and not rest)):
                children = (Text(words), *rest) if words else tuple(rest)
                return Item((Paragraph(children, first.is_tight), *others), _BOXES[box])
    return Item(blocks)


_BOXES = {"[ ]": False, "[x]": True, "[X]": True}


def _rule(_: Token, __: Tokens) -> Rule:
    return Rule()


def _table(_: Token, tokens: Tokens) -> Table:
    aligns: list[str] = []
    rows: list[Cells] = []
    cells: list[Any] = []
    for token in tokens:
        match token.type:
            case "table_close":
                break
            case "th_open":
                aligns.append(str(token.attrs.get("style", "")).removeprefix("text-align:"))
            case "tr_open":
                cells = []
            case "inline" | "text":
                cells.append(inlines(token.children or []))
            case "tr_close":
                rows.append(tuple(cells))
    return Table(tuple(aligns), rows[0], tuple(rows[1:]))


_BUILDERS: dict[str, Callable[[Token, Tokens], Block]] = {
    "paragraph_open": _paragraph,
    "heading_open": _heading,
    "fence": _fence,
    "code_block": _fence,
    "blockquote_open": _quote,
    "bullet_list_open": _listing,
    "ordered_list_open": _listing,
    "hr": _rule,
    "table_open": _table,
}
