"""Imports that would load large libraries where these are installed, made without them.

nats-py loads aiohttp, and httpx2 loads trio, for transports that no run pod
uses. The agent image holds neither; on a machine where the whole project is installed
they would double the time that a container takes to start.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_UNUSED = ("aiohttp", "trio")


@contextmanager
def unused_hidden() -> Iterator[None]:
    """Make `import aiohttp` and `import trio` fail within the block, unless they are loaded."""
    hidden = [name for name in _UNUSED if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # the import system's word for absent
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
