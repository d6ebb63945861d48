"""What is used of discord.py, in one place: the gateway's protocol, and the names of its routes.

The package imports all of itself as soon as any part of it is imported: voice, views,
the objects of its cache. None of that is used here, and it is 8 MB in every pod. So
the package is entered into the list of modules without being run, and the parts that
are needed find each other in it.
"""

import importlib.util
import sys
from importlib.metadata import version

PACKAGE = "discord"


def _enter_without_running(name: str) -> None:
    spec = importlib.util.find_spec(name)
    if spec is None or name in sys.modules:
        return
    package = importlib.util.module_from_spec(spec)
    package.__dict__["__version__"] = version("discord.py")
    sys.modules[name] = package


_enter_without_running(PACKAGE)

from discord.errors import ConnectionClosed  # noqa: E402 - after the package was entered
from discord.flags import Intents  # noqa: E402
from discord.gateway import DiscordWebSocket, ReconnectWebSocket  # noqa: E402
from discord.http import Route  # noqa: E402

__all__ = ["ConnectionClosed", "DiscordWebSocket", "Intents", "ReconnectWebSocket", "Route"]
