"""How a message looks to a person: Discord's Markdown applied, escapes taken away."""

import re
from dataclasses import dataclass
from typing import Any

_FENCE = re.compile(r"```(?:[\w+-]*\n)?(.*?)\n?```", re.DOTALL)
_CODE = re.compile(r"(`{1,2})(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"(?<!\\)\[((?:[^\]\\]|\\.)+)\]\(<?(https?://[^)>\s]+)>?\)")
_SPANS = re.compile(r"(?<!\\)(\*\*\*|\*\*|\*|__|_|~~|\|\|)(?=\S)(.+?)(?<=\S)(?<!\\)\1", re.DOTALL)
_LINE = re.compile(r"^(?:#{1,3} |-# |> |>>> )", re.MULTILINE)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_INVISIBLE = re.compile("[\u2060\u200b\u200c\u200d\ufeff]")
_PING = re.compile(r"<@!?(\d+)>|<@&(\d+)>|@(everyone|here)")


@dataclass(frozen=True)
class Look:
    """What is read, and whether something of it is set apart."""

    text: str
    has_markup: bool


def look(content: str) -> Look:
    """Return how *content* looks."""
    kept: list[str] = []

    def keep(code: re.Match[str]) -> str:
        kept.append(code[code.lastindex or 0])
        return f"\x00{len(kept) - 1}\x00"

    text = _CODE.sub(keep, _FENCE.sub(keep, content))
    text = _LINK.sub(r"\1", text)
    for _ in range(3):
        text = _SPANS.sub(r"\2", text)
    text = _LINE.sub("", text)
    has_markup = bool(kept) or text != content
    text = _ESCAPE.sub(r"\1", text)
    text = re.sub("\x00(\\d+)\x00", lambda found: kept[int(found[1])], text)
    return Look(_INVISIBLE.sub("", text), has_markup)


def pings(content: str, allowed: dict[str, Any] | None) -> tuple[str, ...]:
    """Return who is notified: who is named outside of code, and is allowed to be."""
    bare = re.sub(r"\\<", "", _CODE.sub("", _FENCE.sub("", content)))
    rules = {"users", "roles", "everyone"} if allowed is None else set(allowed.get("parse", []))
    found = []
    for user, role, everyone in _PING.findall(bare):
        kind = "users" if user else "roles" if role else "everyone"
        if kind in rules:
            found.append(user or role or everyone)
    return tuple(found)
