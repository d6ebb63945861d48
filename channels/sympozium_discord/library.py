"""What is used of discord.py, in one place: the gateway's protocol, and the names of its routes.

Importing the library imports its voice part, and with it a module that Python is about
to drop and warns of; nothing of it is used here.
"""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from discord import Intents
    from discord.errors import ConnectionClosed
    from discord.gateway import DiscordWebSocket, ReconnectWebSocket
    from discord.http import Route

__all__ = ["ConnectionClosed", "DiscordWebSocket", "Intents", "ReconnectWebSocket", "Route"]
