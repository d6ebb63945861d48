"""Where a link may lead, and whether its text says something else."""

import re
from urllib.parse import urlsplit

from sympozium.chat.markup.inline import words_of
from sympozium.chat.markup.tree import Link

_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]*:(?://)?|[^\s@]+@|www\.|(?:[\w-]+\.)+[a-z]{2,63}(?:[/:?#]|\Z))",
    re.IGNORECASE,
)


def scheme_of(target: str) -> str:
    """Return the scheme of *target* in lower case, or nothing if it is a relative address."""
    scheme, colon, _ = target.partition(":")
    return scheme.lower() if colon and scheme.isascii() and scheme.isalnum() else ""


def is_wordless(link: Link) -> bool:
    """Return whether there is nothing to read in *link*."""
    return not words_of(link.children).strip()


def says_its_target(link: Link) -> bool:
    """Return whether the text of *link* is its target."""
    return link.is_bare or _address(words_of(link.children)) == _address(link.target)


def misleads(link: Link) -> bool:
    """Return whether the text of *link* looks like an address that is not its target.

    A file's name that the target ends with is not taken for an address.
    """
    text = words_of(link.children).strip()
    if not _ADDRESS.match(text) or says_its_target(link):
        return False
    return "/" in text or not link.target.endswith("/" + text)


def _address(text: str) -> str:
    """Return *text* as addresses are compared."""
    text = text.strip().lower().removeprefix("mailto:")
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:
        return text
    return f"{parts.netloc.removeprefix('www.')}{parts.path.rstrip('/')}?{parts.query}"
