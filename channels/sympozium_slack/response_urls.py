"""Addresses by which a slash command can be answered where the bot is no member.

Slack gives one with every command; it is valid for half an hour, and whoever has
it can write there. So it stays in this process' memory and is never stored.
"""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from sympozium.contract.names import MessageId

VALID_FOR_S = 29 * 60.0
"""Source: https://docs.slack.dev/interactivity/handling-user-interaction (30 minutes)."""

MAX_REMEMBERED = 1024


class ResponseUrls:
    """The newest addresses, by the message that their command was stored as."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._urls: OrderedDict[MessageId, tuple[str, float]] = OrderedDict()

    def keep(self, message_id: MessageId, url: str) -> None:
        """Remember the address of a command."""
        if url:
            self._urls[message_id] = (url, self._clock() + VALID_FOR_S)
        while len(self._urls) > MAX_REMEMBERED:
            self._urls.popitem(last=False)

    def of(self, message_id: MessageId) -> str:
        """Return the address of a command; empty where it is not known or valid any more."""
        url, valid_until = self._urls.get(message_id, ("", 0.0))
        return url if self._clock() < valid_until else ""
