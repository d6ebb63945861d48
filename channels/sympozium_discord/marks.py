"""Reactions on a person's message: one at a time, and only ours."""

from collections import OrderedDict

from sympozium.chat.platform import Mark
from sympozium_discord.library import Route
from sympozium_discord.refusals import UNKNOWN_EMOJI, DiscordRefusedError
from sympozium_discord.reply_to import ReplyTo
from sympozium_discord.rest import Rest

EMOJI = {
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
        for earlier in _earlier(before, mark):
            await self._take_away(reply_to, earlier)

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


def _earlier(before: Mark | None, mark: Mark) -> list[Mark]:
    """Return what may be there still; a predecessor of this program may have put it."""
    if before is not None:
        return [before] if before in EMOJI else []
    return (
        [] if mark is Mark.STORED else [one for one in (Mark.STORED, Mark.RUNNING) if one != mark]
    )
