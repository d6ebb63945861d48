"""The role that a server makes for the bot: people choose it from the list and mean the bot."""

from collections import OrderedDict
from collections.abc import Sequence

from sympozium_discord.library import Route
from sympozium_discord.rest import Rest
from sympozium_discord.wire import Role, read

MAX_KNOWN = 1024


class OurRoles:
    """The bot's own roles: from events, else asked for once a server."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._roles: OrderedDict[str, frozenset[str]] = OrderedDict()

    def learn(self, guild: str, roles: Sequence[object], user_id: str) -> None:
        """Take in the roles of a server."""
        known = [role for role in (read(one, Role) for one in roles) if role.bot_id == user_id]
        self._roles[guild] = frozenset(role.id for role in known)
        while len(self._roles) > MAX_KNOWN:
            self._roles.popitem(last=False)

    async def of(self, guild: str, user_id: str) -> frozenset[str]:
        """Return the ids of the bot's own roles in a server; raises as `Rest.call`."""
        if guild not in self._roles:
            route = Route("GET", "/guilds/{guild_id}/roles", guild_id=guild)
            self.learn(guild, await self._rest.call(route), user_id)
        return self._roles[guild]
