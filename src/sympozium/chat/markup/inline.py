"""Reads the tokens of one line of Markdown into the inner nodes of a tree."""

from dataclasses import dataclass, field

from markdown_it.token import Token

from sympozium.chat.markup.neutral import without_controls
from sympozium.chat.markup.tree import Break, Code, Inline, Link, Span, SpanKind, Text

_KINDS = {"strong": SpanKind.BOLD, "em": SpanKind.ITALIC, "s": SpanKind.STRIKE}


@dataclass
class _Open:
    """A node whose end is not read yet; without kind and target its children are its parent's."""

    children: list[Inline] = field(default_factory=list)
    kind: SpanKind | None = None
    target: str | None = None
    is_bare: bool = False


def inlines(tokens: list[Token]) -> tuple[Inline, ...]:
    """Return the nodes of one line's *tokens*."""
    stack = [_Open()]
    for token in tokens:
        if token.nesting > 0:
            stack.append(_opened(token, stack))
        elif token.nesting < 0:
            _close(stack)
        else:
            _leaf(token, stack)
    while len(stack) > 1:
        _close(stack)
    return tuple(stack[0].children)


def _opened(token: Token, stack: list[_Open]) -> _Open:
    if token.type == "link_open":
        is_bare = token.info == "auto"
        return _Open(target=str(token.attrs.get("href", "")), is_bare=is_bare)
    kind = _KINDS[token.tag]
    is_known = any(node.kind is kind for node in stack)
    return _Open(kind=None if is_known else kind)


def _close(stack: list[_Open]) -> None:
    node = stack.pop()
    parent = stack[-1].children
    if node.target is not None:
        parent.append(Link(node.target, tuple(node.children), node.is_bare))
    elif node.kind is not None:
        parent.append(Span(node.kind, tuple(node.children)))
    else:
        for child in node.children:
            _add(child, parent)


def _leaf(token: Token, stack: list[_Open]) -> None:
    siblings = stack[-1].children
    match token.type:
        case "softbreak" | "hardbreak":
            siblings.append(Break(is_hard=token.type == "hardbreak"))
        case "code_inline":
            siblings.append(Code(without_controls(token.content)))
        case "image":
            _add(_image(token, stack), siblings)
        case _:
            for number, line in enumerate(token.content.split("\n")):
                if number:
                    siblings.append(Break(is_hard=False))
                _add(Text(without_controls(line)), siblings)


def _image(token: Token, stack: list[_Open]) -> Inline:
    """Return a link to the image; within a link only its words."""
    words = " ".join(words_of(inlines(token.children or [])).split())
    target = str(token.attrs.get("src", ""))
    if any(node.target is not None for node in stack):
        return Text(words or target)
    if not target:
        return Text(words)
    return Link(target, (Text(words or target),), is_bare=not words)


def _add(node: Inline, siblings: list[Inline]) -> None:
    """Append *node*; a text goes on with the text before it, so that no mention hides in a gap."""
    if isinstance(node, Text):
        if not node.text:
            return
        if siblings and isinstance(siblings[-1], Text):
            node = Text(siblings.pop().text + node.text)  # type: ignore[union-attr]
    siblings.append(node)


def words_of(nodes: tuple[Inline, ...]) -> str:
    """Return the text of *nodes* alone: no targets, no markup, line ends as spaces."""
    return "".join(_words(node) for node in nodes)


def _words(node: Inline) -> str:
    match node:
        case Text(text) | Code(text):
            return text
        case Break():
            return " "
        case Span() | Link():
            return words_of(node.children)


def spoken(nodes: tuple[Inline, ...]) -> str:
    """Return the text of *nodes*, each link followed by its target if the text is not that."""
    return "".join(_spoken(node) for node in nodes)


def _spoken(node: Inline) -> str:
    match node:
        case Span(children=children):
            return spoken(children)
        case Link(target, children, is_bare):
            text = words_of(children)
            return target if is_bare else text if text == target else f"{text} ({target})"
    return _words(node)
