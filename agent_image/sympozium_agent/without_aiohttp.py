"""Imports that would pull in aiohttp where it is installed, made without it.

nats-py and openai load aiohttp when they find it, for transports that no run pod uses.
The agent image does not hold it; on a machine where the whole project is installed it
would double the time that a container takes to start.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def aiohttp_hidden() -> Iterator[None]:
    """Make `import aiohttp` fail within the block, unless it is loaded already."""
    if "aiohttp" in sys.modules:
        yield
        return
    sys.modules["aiohttp"] = None  # type: ignore[assignment] # the import system's word for absent
    try:
        yield
    finally:
        del sys.modules["aiohttp"]
