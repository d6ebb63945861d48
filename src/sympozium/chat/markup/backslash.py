"""Escapes with backslashes, as CommonMark and Discord read them."""

import re

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
