"""python-telegram-bot's `Bot`, without what it would load because it happens to be installed.

`cryptography` serves Telegram Passport and `click` the command line of `httpx`;
neither is used here, and together they cost a pod 12 MB. Every other module takes
the library's names from this one.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_NOT_NEEDED = ("cryptography", "click")


@contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    """Have *names* not be found while the block lasts, as where they are not installed."""
    absent = [name for name in names if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment] # how Python writes "not there"
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


with _without(_NOT_NEEDED):
    from telegram import Bot, InputFile
    from telegram.error import TelegramError
    from telegram.request import BaseRequest, RequestData

logging.getLogger("telegram").setLevel(logging.WARNING)
"""Below it the library logs addresses, with the token, and what people write."""

__all__ = ["BaseRequest", "Bot", "InputFile", "RequestData", "TelegramError"]
