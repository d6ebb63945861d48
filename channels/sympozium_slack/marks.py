"""The reaction on a person's message."""

from collections import OrderedDict
from time import time

from sympozium.chat.platform import Mark
from sympozium_slack.api import Api
from sympozium_slack.ids import Origin
from sympozium_slack.refusals import SlackRefusedError

EMOJI = {
    Mark.HELD: "zzz",
    Mark.STORED: "eyes",
    Mark.RUNNING: "hourglass_flowing_sand",
    Mark.DONE: "white_check_mark",
    Mark.FAILED: "x",
}
MAX_REMEMBERED = 4096
_THERE_ALREADY = {"already_reacted", "no_reaction"}


class Reactions:
    """Puts one reaction on a message and takes the earlier one away."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._shown: OrderedDict[tuple[str, str], Mark] = OrderedDict()
        self._began = time()

    async def show(self, origin: Origin, mark: Mark) -> None:
        """Have *mark* be the one reaction of ours; raises as `Api.call`."""
        place = (origin.channel, origin.ts)
        earlier = self._earlier(place, mark)
        if mark is not Mark.NONE:
            await self._call("reactions.add", place, mark)
        for other in earlier:
            await self._call("reactions.remove", place, other)
        self._shown[place] = mark
        self._shown.move_to_end(place)
        while len(self._shown) > MAX_REMEMBERED:
            self._shown.popitem(last=False)

    def _earlier(self, place: tuple[str, str], mark: Mark) -> list[Mark]:
        """Return what may be there; after a restart that is everything that comes before."""
        shown = self._shown.get(place)
        if shown is not None:
            return [shown] if shown not in (mark, Mark.NONE) else []
        before = [Mark.STORED, Mark.RUNNING]
        if float(place[1]) < self._began:
            before.insert(0, Mark.HELD)  # else it would be this program that put it there
        return before[: before.index(mark)] if mark in before else before

    async def _call(self, method: str, place: tuple[str, str], mark: Mark) -> None:
        channel, ts = place
        try:
            await self._api.call(method, channel=channel, timestamp=ts, name=EMOJI[mark])
        except SlackRefusedError as error:
            if error.code not in _THERE_ALREADY:
                raise
