"""Takes the power out of a model's text: nothing in it rings a bell or hides what it says.

Whoever can make a model write `@everyone` could otherwise wake a whole company, and
whoever can make it write a direction override could show one file name and mean another.
"""

import re
from typing import Final

from sympozium.chat.markup.dialect import Dialect

WORD_JOINER: Final = "\u2060"
"""Zero-width and never a place to break a line; between two characters it parts a mention."""

_PINGS = "channel|here|everyone"
_UNSAID = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_PING_IN_URL = re.compile(rf"@(?={_PINGS})", re.IGNORECASE)

_ANYWHERE = rf"@(?={_PINGS}|$)"
_ANGLES = r"<(?=[@!#]|$)"
_IN_TEXT = {
    Dialect.SLACK: re.compile(_ANYWHERE, re.IGNORECASE),
    Dialect.TELEGRAM: re.compile(
        rf"{_ANYWHERE}|(?<![A-Za-z0-9_])@(?=\w)|\btg:(?=//)", re.IGNORECASE
    ),
    Dialect.DISCORD: re.compile(rf"{_ANYWHERE}|{_ANGLES}|(?<=<)@", re.IGNORECASE),
    Dialect.MARKDOWN: re.compile(rf"{_ANYWHERE}|{_ANGLES}|(?<=<)@", re.IGNORECASE),
}
# In code every added character is copied with it, so only what is a mention for certain is parted.
_MENTIONS = r"<(?=[@#][!&]?[A-Z0-9]|!(?:channel|here|everyone|subteam))"
_IN_CODE = {
    Dialect.SLACK: re.compile(rf"@(?={_PINGS})", re.IGNORECASE),
    Dialect.TELEGRAM: None,  # Telegram looks for no mention in code
    Dialect.DISCORD: re.compile(rf"@(?={_PINGS})|{_MENTIONS}", re.IGNORECASE),
    Dialect.MARKDOWN: re.compile(rf"@(?={_PINGS})|{_MENTIONS}", re.IGNORECASE),
}


def without_surrogates(text: str) -> str:
    """Return *text* with lone surrogates, which no encoding can send, as replacement characters."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def without_controls(text: str) -> str:
    """Return *text* without control characters and direction overrides.

    Those that part words become spaces. Line feeds and tabs stay.
    """
    return _UNSAID.sub(lambda found: " " if found.group().isspace() else "", text)


def harmless(text: str, dialect: Dialect) -> str:
    """Return *text*, as it stands outside of code, so that it mentions nobody."""
    if "@" not in text and "<" not in text and "tg:" not in text.lower():
        return text
    return _IN_TEXT[dialect].sub(_parted, text)


def harmless_code(text: str, dialect: Dialect) -> str:
    """Return *text*, as it stands in code, so that it mentions nobody; nearly all code as it is."""
    pattern = _IN_CODE[dialect]
    return text if pattern is None else pattern.sub(_parted, text)


def harmless_plain_code(code: str, dialect: Dialect) -> str:
    """Return *code*, which is harmless as code, so that it is so without markup too."""
    return harmless(code, dialect) if _IN_CODE[dialect] is None else code


def harmless_url(url: str) -> str:
    """Return *url*, leading where it did, without a word that a platform takes for a mention."""
    return _PING_IN_URL.sub("%40", url)


def _parted(found: re.Match[str]) -> str:
    return found.group() + WORD_JOINER
