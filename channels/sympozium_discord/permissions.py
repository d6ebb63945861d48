"""What the bot must be allowed to do, and whether a server and a channel let it."""

from collections.abc import Iterable, Mapping
from typing import Any

ADMINISTRATOR = 1 << 3

NEEDED = {
    "View Channels": 1 << 10,
    "Send Messages": 1 << 11,
    "Send Messages in Threads": 1 << 38,
    "Create Public Threads": 1 << 35,
    "Add Reactions": 1 << 6,
    "Attach Files": 1 << 15,
    "Embed Links": 1 << 14,
    "Read Message History": 1 << 16,
}
"""By the names that Discord's pages have for them.

Source: https://docs.discord.com/developers/topics/permissions
"""

ALL_NEEDED = sum(NEEDED.values())


def missing(permissions: int) -> list[str]:
    """Return the names of what is needed and not granted."""
    if permissions & ADMINISTRATOR:
        return []
    return [name for name, bit in NEEDED.items() if not permissions & bit]


def in_server(roles: Iterable[Mapping[str, Any]], guild: str, ours: Iterable[str]) -> int:
    """Return what the bot may do in a server, by the server's roles and *ours* among them."""
    mine = {guild, *ours}  # the role of everyone has the server's id
    granted = 0
    for role in roles:
        if role["id"] in mine:
            granted |= int(role["permissions"])
    return granted


def in_channel(
    granted: int, channel: Mapping[str, Any], guild: str, user: str, ours: Iterable[str]
) -> int:
    """Return what the bot may do in a channel, of which *granted* is what the server grants.

    The channel's own rules are applied as Discord does: everyone's, then those of the
    bot's roles together, then the bot's own.
    """
    if granted & ADMINISTRATOR:
        return granted
    rules = {rule["id"]: rule for rule in channel.get("permission_overwrites") or ()}
    steps = ([guild], [role for role in ours if role != guild], [user])
    for ids in steps:
        there = [rules[id_] for id_ in ids if id_ in rules]
        for rule in there:
            granted &= ~int(rule["deny"])
        for rule in there:
            granted |= int(rule["allow"])
    return granted


def invitation(application_id: str) -> str:
    """Return the address at which a person adds the bot to a server, with what it needs."""
    return (
        "https://discord.com/oauth2/authorize"
        f"?client_id={application_id}&scope=bot+applications.commands&permissions={ALL_NEEDED}"
    )
