"""Where at Discord something is: which channel ids are threads, and of which channel."""

import logging
from collections import OrderedDict
from dataclasses import dataclass

from sympozium.chat.errors import ChatClosedError
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import Place
from sympozium.contract.names import ConversationId
from sympozium_discord.library import Route
from sympozium_discord.reply_to import ReplyTo
from sympozium_discord.rest import Rest
from sympozium_discord.wire import DIRECT_TYPE, Channel, read

log = logging.getLogger(__name__)

MAX_KNOWN = 4096


@dataclass(frozen=True)
class Spot:
    """One place.

    Attributes:
        guild: The server; empty in a direct chat.
        chat: The channel; of a thread, the channel that it hangs on.
        thread: The thread; empty outside of one.
    """

    guild: str
    chat: str
    thread: str = ""

    @property
    def is_direct(self) -> bool:
        """Whether only the person and the bot are there."""
        return not self.guild

    @property
    def place(self) -> Place:
        """The same, for the router."""
        return Place(chat=self.chat, thread=self.thread, is_direct=self.is_direct)

    def conversation(self, message_id: str) -> ConversationId:
        """Return the conversation of a message here: outside of a thread it begins one."""
        if self.is_direct:
            return ConversationId(f"dm:{self.chat}")
        return ConversationId(f"{self.guild}:{self.chat}:{self.thread or message_id}")

    @property
    def conversation_here(self) -> ConversationId:
        """The conversation of a command here, which begins none."""
        if self.is_direct or self.thread:
            return self.conversation("")
        return ConversationId(f"{self.guild}:{self.chat}")

    def reply_to(self, message_id: str) -> ReplyTo:
        """Return where the answer to a message belongs."""
        begins_thread = not (self.is_direct or self.thread)
        return ReplyTo(self.thread or self.chat, message_id, begins_thread=begins_thread)


class Places:
    """What is known of channels: from events, else asked for once."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._parents: OrderedDict[str, str] = OrderedDict()

    def learn(self, channel: Channel) -> None:
        """Take in what an event says of a channel or thread."""
        self._parents[channel.id] = (channel.parent_id or "") if channel.is_thread else ""
        self._parents.move_to_end(channel.id)
        while len(self._parents) > MAX_KNOWN:
            self._parents.popitem(last=False)

    async def spot(self, guild: str, channel_id: str) -> Spot:
        """Return where something with *channel_id* is; raises as `Rest.call`."""
        if not guild:
            return Spot("", channel_id)
        if channel_id not in self._parents:
            self.learn(await self._ask(guild, channel_id))
        parent = self._parents[channel_id]
        return Spot(guild, parent, channel_id) if parent else Spot(guild, channel_id)

    async def _ask(self, guild: str, channel_id: str) -> Channel:
        route = Route("GET", "/channels/{channel_id}", channel_id=channel_id)
        try:
            channel: Channel = read(await self._rest.call(route), Channel)
        except ChatClosedError as error:  # seen by an event and not to be read: no thread of ours
            log.debug("channel unknown", extra={"action": "ask", "cause": str(error)})
            return Channel(id=channel_id, type=0, guild_id=guild)
        except ValueError as error:
            raise PermanentError(f"cannot read a channel: {error}") from None
        return channel


def spot_of(guild: str, channel: Channel) -> Spot:
    """Return where an interaction took place, of which Discord names the channel."""
    if channel.type == DIRECT_TYPE or not guild:
        return Spot("", channel.id)
    if channel.is_thread and channel.parent_id:
        return Spot(guild, channel.parent_id, channel.id)
    return Spot(guild, channel.id)
