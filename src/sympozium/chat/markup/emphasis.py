"""Emphasis in texts that are written without spaces.

CommonMark decides by the spaces around a mark whether it begins or ends something bold. In
Chinese and Japanese there are none: `**重要：**文字`, which models write all the time, would
stay a row of asterisks.
"""

import unicodedata

from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.emphasis import tokenize


def emphasis(state: StateInline, silent: bool) -> bool:
    """Parse asterisks as CommonMark does, a wide character outside counting as a space."""
    start, known = state.pos, len(state.delimiters)
    if not tokenize(state, silent):
        return False
    if state.src[start] == "*":
        before, after = state.src[start - 1 : start], state.src[state.pos : state.pos + 1]
        for delimiter in state.delimiters[known:]:
            delimiter.open = delimiter.open or (_is_wide(before) and _is_ink(after))
            delimiter.close = delimiter.close or (_is_wide(after) and _is_ink(before))
    return True


def _is_wide(character: str) -> bool:
    return bool(character) and unicodedata.east_asian_width(character) in "WF"


def _is_ink(character: str) -> bool:
    return bool(character) and not character.isspace()
