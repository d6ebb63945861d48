"""The thread of a conversation: it hangs on the message that began it, and has its id."""

import logging
from collections import OrderedDict

from sympozium.chat.errors import ChatClosedError, PostGoneError, ThreadGoneError
from sympozium_discord.library import Route
from sympozium_discord.refusals import (
    THREAD_EXISTS,
    TOO_MANY_THREADS,
    WRONG_CHANNEL_TYPE,
    DiscordRefusedError,
)
from sympozium_discord.reply_to import ReplyTo
from sympozium_discord.rest import Rest

log = logging.getLogger(__name__)

MAX_KNOWN = 4096
MAX_NAME_CHARS = 80
ARCHIVED_AFTER_MIN = 1440
NAMELESS = "Conversation"


class Threads:
    """Where the answers to messages go, and the threads that must be made for that."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._names: OrderedDict[str, str] = OrderedDict()
        self._channels: OrderedDict[str, str] = OrderedDict()
        self._without: OrderedDict[str, None] = OrderedDict()

    def name(self, message: str, text: str) -> None:
        """Note what the thread of a message is to be called, should there be one."""
        _put(self._names, message, " ".join(text.split())[:MAX_NAME_CHARS])

    def known(self, reply_to: ReplyTo) -> str:
        """Return where the answer to a message goes, as far as that is known without a call."""
        return self._channels.get(reply_to.message, reply_to.channel)

    async def channel_of(self, reply_to: ReplyTo) -> str:
        """Return the channel or thread for an answer; the thread is there when this returns.

        Where the bot may not make threads, or there can be none, it is the channel itself.

        Raises:
            ThreadGoneError: There is no message any more that a thread could hang on.
        """
        if not reply_to.begins_thread or reply_to.channel in self._without:
            return reply_to.channel
        if reply_to.message not in self._channels:
            _put(self._channels, reply_to.message, await self._made(reply_to))
        return self._channels[reply_to.message]

    async def reopen(self, thread: str) -> None:
        """Take a thread out of the archive; raises as `Rest.call`."""
        await self._rest.call(
            Route("PATCH", "/channels/{channel_id}", channel_id=thread), {"archived": False}
        )

    def forget(self, reply_to: ReplyTo) -> None:
        """The thread of a message is gone."""
        self._channels.pop(reply_to.message, None)

    async def _made(self, reply_to: ReplyTo) -> str:
        path = "/channels/{channel_id}/messages/{message_id}/threads"
        route = Route("POST", path, channel_id=reply_to.channel, message_id=reply_to.message)
        name = self._names.get(reply_to.message) or NAMELESS
        try:
            await self._rest.call(
                route, {"name": name, "auto_archive_duration": ARCHIVED_AFTER_MIN}
            )
        except PostGoneError as error:
            raise ThreadGoneError("cannot make a thread: its message was deleted") from error
        except ChatClosedError as error:
            log.warning("no thread made", extra={"action": "degrade", "cause": str(error)})
            return reply_to.channel
        except DiscordRefusedError as error:
            if error.code in {WRONG_CHANNEL_TYPE, TOO_MANY_THREADS}:
                _put(self._without, reply_to.channel, None)
                return reply_to.channel
            if error.code != THREAD_EXISTS:
                raise
        return reply_to.message


def _put(known: "OrderedDict[str, str] | OrderedDict[str, None]", key: str, value: object) -> None:
    known[key] = value  # type: ignore[assignment] # both callers put what their dict holds
    while len(known) > MAX_KNOWN:
        known.popitem(last=False)
