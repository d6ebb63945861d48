"""The message that a thread hangs on: "@bot look at this" is about what stands above it."""

from collections import OrderedDict

import msgspec

from sympozium.contract.errors import SympoziumError
from sympozium_slack.api import Api
from sympozium_slack.events import Post
from sympozium_slack.reading import Me
from sympozium_slack.words import whole

MAX_REMEMBERED = 1024


class Roots:
    """Reads a thread's first message, once a thread: later the conversation knows it."""

    def __init__(self, api: Api, me: Me) -> None:
        self._api = api
        self._me = me
        self._given: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def quotation(self, channel: str, thread: str, asked_by: str) -> str:
        """Return what a thread's first message says; empty where it is ours or cannot be read.

        Args:
            channel: Where the thread is.
            thread: Its timestamp.
            asked_by: The message that wants it. The same message is given the same again,
                a later one of the thread nothing.
        """
        first_asker = self._given.get((channel, thread))
        if first_asker not in (None, asked_by):
            return ""
        try:
            answer = await self._api.call(
                "conversations.replies", channel=channel, ts=thread, limit=1, inclusive=True
            )
            posts = msgspec.convert(answer.get("messages") or [], list[Post])
        except (SympoziumError, msgspec.ValidationError):
            return ""  # the question is worth more than what it is about
        self._remember(channel, thread, asked_by)
        root = next((post for post in posts if post.ts == thread), None)
        if root is None or root.user == self._me.user or root.bot_id == self._me.bot:
            return ""
        return whole(root)

    def _remember(self, channel: str, thread: str, asked_by: str) -> None:
        self._given[channel, thread] = asked_by
        while len(self._given) > MAX_REMEMBERED:
            self._given.popitem(last=False)
