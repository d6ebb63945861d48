"""What a reader takes for one character, and how wide it is on a screen.

An emoji of four code points, a letter with two accents and a flag are one thing to
the reader: cut in the middle they turn into something else.
"""

import unicodedata
from collections.abc import Iterator

ZERO_WIDTH_JOINER = "\u200d"
_EXTENDING = frozenset({"Mn", "Me", "Mc"})
_MODIFIERS = range(0x1F3FB, 0x1F400)
_TAGS = range(0xE0020, 0xE0080)
_REGIONAL = range(0x1F1E6, 0x1F200)
_VARIATION_EMOJI = "\ufe0f"
_ZERO_WIDTH = frozenset("\u200b\u200c\u200d\u2060\ufeff")


def clusters(text: str) -> Iterator[str]:
    """Yield the characters that a reader sees in *text*, a word; joined they are *text* again.

    Follows the rules of Unicode's extended grapheme clusters for combining marks, joined
    emoji, skin tones, flags and Korean syllables; zero-width characters stay with the
    character before them.
    """
    if text.isascii():
        yield from text
        return
    start = 0
    flags = 0
    for index, character in enumerate(text):
        flags = flags + 1 if ord(character) in _REGIONAL else 0
        if index == start:
            continue
        if _belongs(text[index - 1], character) or (flags and flags % 2 == 0):
            continue
        yield text[start:index]
        start = index
    if start < len(text):
        yield text[start:]


def _belongs(before: str, character: str) -> bool:
    """Return whether no reader's character ends between the two."""
    if character.isascii():
        return False
    if before == ZERO_WIDTH_JOINER or character in _ZERO_WIDTH:
        return True
    code = ord(character)
    if code in _MODIFIERS or code in _TAGS or unicodedata.category(character) in _EXTENDING:
        return True
    return _is_korean_tail(before, code)


def _is_korean_tail(before: str, code: int) -> bool:
    """Return whether *code* is a vowel or final consonant that goes on with a syllable."""
    is_part = 0x1160 <= code <= 0x11FF or 0xD7B0 <= code <= 0xD7FB
    return is_part or (0x1100 <= code <= 0x115F and 0x1100 <= ord(before) <= 0x115F)


def display_width(text: str) -> int:
    """Return how many columns *text* takes in a fixed-width font.

    East Asian wide characters and emoji take two, combining marks and zero-width
    characters none, and a joined emoji counts once.
    """
    if text.isascii():
        return len(text)
    return sum(_cluster_width(cluster) for cluster in clusters(text))


def _cluster_width(cluster: str) -> int:
    first = cluster[0]
    if ord(first) in _REGIONAL or _VARIATION_EMOJI in cluster:
        return 2
    if first in _ZERO_WIDTH or unicodedata.category(first) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(first) in "WF" else 1
