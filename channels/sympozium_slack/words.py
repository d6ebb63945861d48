"""Slack's writing as words: what a person sees of a message is what the agent reads."""

import re
from collections.abc import Iterator
from typing import Any

from sympozium_slack.events import Post

MAX_QUOTED_CHARS = 8000
_MAX_DEPTH = 12

_ENTITY = re.compile(r"<([^<>\n]+)>")
_BROADCASTS = {"!here": "@here", "!channel": "@channel", "!everyone": "@everyone"}
_PERSON = re.compile(r"<@([A-Z0-9]+)(?:\|[^<>]*)?>")


def plain(text: str) -> str:
    """Return a text of Slack's as a person reads it: links written out, nothing escaped.

    A mention stays `<@U123>`: a name can be anybody's, the id is that of one person.
    """
    unlinked = _ENTITY.sub(lambda match: _entity(match[1]), text)
    return unlinked.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def mentioned(text: str) -> set[str]:
    """Return the ids of the people whom a text mentions."""
    return set(_PERSON.findall(text))


def mentions_group(text: str) -> bool:
    """Return whether a text calls a group of people or everyone."""
    return any(call in text for call in ("<!subteam^", "<!here", "<!channel", "<!everyone"))


def forms_of(user: str, text: str) -> set[str]:
    """Return how *text* writes the mention of *user*: with or without a name beside the id."""
    return {match[0] for match in _PERSON.finditer(text) if match[1] == user}


def quotation(post: Post) -> str:
    """Return everything that a post says beside its text: its blocks and attachments.

    Alerts are often written there alone. What the text says too is left out, and so are
    the blocks of a person's post, which are its text in another form.
    """
    said = plain(post.text or "")
    blocks = post.blocks if post.bot_id else None
    lines: list[str] = []
    for line in (*_blocks(blocks, 0), *_attachments(post.attachments)):
        words = plain(line).strip()
        if words and words not in said and words not in lines:
            lines.append(words)
    return "\n".join(lines)[:MAX_QUOTED_CHARS]


def whole(post: Post) -> str:
    """Return everything that a post says."""
    parts = (plain(post.text or "").strip(), quotation(post))
    return "\n".join(part for part in parts if part)[:MAX_QUOTED_CHARS]


def _entity(inner: str) -> str:
    target, bar, label = inner.partition("|")
    if target.startswith("@"):
        return f"<{target}>"
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith("!"):
        return _special(target, label)
    address = target.removeprefix("mailto:")
    if bar and label not in (target, address):
        return f"{label} ({address})"
    return address


def _special(target: str, label: str) -> str:
    if target.partition("^")[0] in _BROADCASTS:
        return _BROADCASTS[target.partition("^")[0]]
    return label or target


def _attachments(attachments: list[Any] | None) -> Iterator[str]:
    for attachment in attachments or []:
        if not isinstance(attachment, dict):
            continue
        yield from _texts(attachment, ("pretext", "author_name", "title", "text"))
        for field in attachment.get("fields") or []:
            if isinstance(field, dict):
                name, value = field.get("title"), field.get("value")
                yield f"{name}: {value}" if name else str(value or "")
        yield from _blocks(attachment.get("blocks"), 0)
        yield from _blocks(attachment.get("message_blocks"), 0)
        yield from _texts(attachment, ("footer",))
        if not any(attachment.get(key) for key in ("text", "title", "fields", "blocks")):
            yield from _texts(attachment, ("fallback",))


def _blocks(value: object, depth: int) -> Iterator[str]:
    """Yield the texts of blocks: of any kind, since more kinds come every year."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value:
            yield from _blocks(item, depth + 1)
    elif isinstance(value, dict):
        if value.get("type") == "rich_text_section":
            yield "".join(_runs(value.get("elements")))
            return
        text = value.get("text")
        if isinstance(text, str):
            yield text
        for key in ("text", "fields", "elements", "message", "title", "alt_text"):
            inner = value.get(key)
            if isinstance(inner, str) and key in {"title", "alt_text"}:
                yield inner
            elif isinstance(inner, list | dict):
                yield from _blocks(inner, depth + 1)


def _runs(elements: object) -> Iterator[str]:
    for element in elements if isinstance(elements, list) else []:
        if isinstance(element, dict):
            shown = element.get("text") or element.get("url") or ""
            yield f"<@{element['user_id']}>" if "user_id" in element else str(shown)


def _texts(attachment: dict[str, Any], keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        value = attachment.get(key)
        if isinstance(value, str) and value:
            yield value
