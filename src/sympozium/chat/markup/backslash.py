"""What CommonMark and Discord write alike: escapes with backslashes, marks, addresses."""

import re

from sympozium.chat.markup.flow import Ink, Mark
from sympozium.chat.markup.neutral import WORD_JOINER

_ANYWHERE = r"[\\`*\[\]~<]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"
_SPECIAL = re.compile(_ANYWHERE + r"|&(?=#?[A-Za-z0-9]+;)")
_SPECIAL_ON_DISCORD = re.compile(_ANYWHERE + r"|\|")
# Headings, lists, quotes, small print, underlines of headings and of table heads.
_SPECIAL_FIRST = re.compile(r"#{1,6}\Z|-#\Z|[-+=|:]+\Z|>")
_NUMBER = re.compile(r"\A([0-9]{1,9})([.)])\Z")
_RUN = re.compile(r"`+")


def escaped(word: str, *, on_discord: bool = False) -> str:
    """Return *word* so that no character in it is markup within a line."""
    return (_SPECIAL_ON_DISCORD if on_discord else _SPECIAL).sub(r"\\\g<0>", word)


def escaped_at_line_start(word: str, *, on_discord: bool = False) -> str:
    """Return *word* so that it also begins no heading, list, quote or table."""
    written = escaped(word, on_discord=on_discord)
    if _SPECIAL_FIRST.match(word) and not written.startswith("\\"):
        return "\\" + written
    return _NUMBER.sub(r"\1\\\2", written)


def longest_run_of_backticks(text: str) -> int:
    """Return how many backticks stand in a row in *text*."""
    return max((len(run) for run in _RUN.findall(text)), default=0)


def seamed(opening: str, closing: str) -> Mark:
    """Return a mark that a word joiner parts from one which was closed right before it."""
    return Mark(Ink(opening, ""), Ink(closing, ""), seam=WORD_JOINER)


def in_parentheses(url: str) -> str:
    """Return *url* as it may stand in the parentheses of a link."""
    return url.replace("(", "%28").replace(")", "%29")
