"""Reactions on a person's message: one at a time, and only ours."""

from collections import OrderedDict
from datetime import UTC, datetime

from sympozium.chat.platform import Mark
from sympozium_discord.library import Route
from sympozium_discord.refusals import UNKNOWN_EMOJI, DiscordRefusedError
from sympozium_discord.reply_to import ReplyTo
from sympozium_discord.rest import Rest
from sympozium_discord.snowflake import time_of

EMOJI = {
    Mark.HELD: "\N{SLEEPING SYMBOL}",
    Mark.STORED: "\N{EYES}",
    Mark.RUNNING: "\N{HOURGLASS WITH FLOWING SAND}",
    Mark.DONE: "\N{WHITE HEAVY CHECK MARK}",
    Mark.FAILED: "\N{CROSS MARK}",
}

PATH = "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me"
MAX_KNOWN = 4096


class Reactions:
    """Puts the reaction for a mark on, and takes the one before away."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._shown: OrderedDict[str, Mark] = OrderedDict()
        self._began = datetime.now(UTC)

    async def show(self, reply_to: ReplyTo, mark: Mark) -> None:
        """Let the reaction on a message say *mark*; raises as `Rest.call`."""
        before = self._shown.get(reply_to.message)
        if mark is before:
            return
        if mark in EMOJI:
            await self._call("PUT", reply_to, mark)
        self._shown[reply_to.message] = mark
        while len(self._shown) > MAX_KNOWN:
            self._shown.popitem(last=False)
        for earlier in self._earlier(reply_to, before, mark):
            await self._take_away(reply_to, earlier)

    def _earlier(self, reply_to: ReplyTo, before: Mark | None, mark: Mark) -> list[Mark]:
        """Return what may be there still; a predecessor of this program may have put it."""
        if before is None:
            return _possible(mark, is_older=time_of(reply_to.message) < self._began)
        return [before] if before in EMOJI else []

    async def _take_away(self, reply_to: ReplyTo, mark: Mark) -> None:
        try:
            await self._call("DELETE", reply_to, mark)
        except DiscordRefusedError as error:
            if error.code != UNKNOWN_EMOJI:  # it is not there: what was wanted
                raise

    async def _call(self, method: str, reply_to: ReplyTo, mark: Mark) -> None:
        route = Route(
            method, PATH, channel_id=reply_to.channel, message_id=reply_to.message,
            emoji=EMOJI[mark],
        )  # fmt: skip
        await self._rest.call(route)


def _possible(mark: Mark, *, is_older: bool) -> list[Mark]:
    """Return what a predecessor may have put there; *is_older*: it was written in its time."""
    before = [Mark.STORED, Mark.RUNNING]
    if is_older:
        before.insert(0, Mark.HELD)
    return before[: before.index(mark)] if mark in before else before
