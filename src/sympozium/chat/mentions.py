"""Taking the bot's own mention out of a text: the task is what was said to it."""

import re
from collections.abc import Iterable

_SEPARATORS = " \t,:;.!-\u2013\u2014"
"""What may stand between a mention and what is said: "@bot, hello", "@bot: hello"."""


def strip_mention(text: str, forms: Iterable[str]) -> str:
    """Return *text* without the bot's mention where it only calls the bot.

    That is at the start, with what separates it from the rest, and where it stands alone:
    as the whole text, or on a line of its own. A mention within a sentence is part of
    it ("ask @bot tomorrow") and stays, as does everybody else's.

    Args:
        text: As the platform has it.
        forms: How the platform writes the bot: `<@U1>`, `@name_bot`; letter case is ignored.
    """
    written = sorted({form for form in forms if form}, key=len, reverse=True)
    if not written:
        return text.strip()
    mention = "(?:" + "|".join(re.escape(form) for form in written) + r")(?!\w)"
    separators = re.escape(_SEPARATORS)
    at_start = re.compile(rf"\s*(?:{mention}[{separators}]*\s*)+", re.IGNORECASE)
    alone = re.compile(rf"(?m)^[ \t]*(?:{mention}[ \t]*)+$\n?", re.IGNORECASE)
    rest = at_start.sub("", text, count=1) if at_start.match(text) else text
    return alone.sub("", rest).strip()
