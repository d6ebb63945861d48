"""Finds web addresses that stand in a text as they are.

They have to be known while the text is parsed: `_` and `*` in an address are no emphasis.
"""

import re

from markdown_it.rules_inline import StateInline

_SCHEME = re.compile(r"(?<![A-Za-z0-9])https?\Z", re.IGNORECASE)
_LONGEST_SCHEME = len("xhttps")
# An address ends at a space, a quotation mark, or punctuation of East Asian texts.
_ADDRESS = re.compile(
    r"://[A-Za-z0-9\[\u00a1-\u2fff\u3041-\ufeff][^\s<>\"`\u3000-\u3020\uff00-\uff0f]*"
)
_TRAILING = "?!.,:;*_~'|"
_PAIRS = {")": "(", "]": "["}


def bare_url(state: StateInline, silent: bool) -> bool:
    """Parse a web address at its colon; a rule of the inline parser.

    The end follows GitHub's rules: punctuation after an address and a bracket that was
    opened before it do not belong to it.
    """
    if silent or state.linkLevel > 0 or state.src[state.pos] != ":":
        return False
    scheme = _SCHEME.search(state.pending[-_LONGEST_SCHEME:])
    address = _ADDRESS.match(state.src, state.pos) if scheme else None
    if scheme is None or address is None:
        return False
    rest = _without_tail(address.group())
    url = scheme.group() + rest
    target = state.md.normalizeLink(url)
    if len(rest) < len("://x") or not state.md.validateLink(target):
        return False
    state.pending = state.pending[: -len(scheme.group())]
    opening = state.push("link_open", "a", 1)
    opening.attrs = {"href": target}
    opening.info = "auto"
    state.push("text", "", 0).content = url
    state.push("link_close", "a", -1)
    state.pos += len(rest)
    return True


def _without_tail(address: str) -> str:
    """Return *address* without what stands after it in the sentence."""
    surplus = {closing: address.count(closing) - address.count(opening)
               for closing, opening in _PAIRS.items()}  # fmt: skip
    end = len(address)
    while end:
        last = address[end - 1]
        if surplus.get(last, 0) > 0:
            surplus[last] -= 1
        elif last not in _TRAILING:
            break
        end -= 1
    return address[:end]
