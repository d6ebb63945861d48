"""What people go on doing while faults come: seeded, at the web channel and at all bots at once."""

import asyncio
import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sympozium.testing.channels.driver import Handed
from tests.fault import loads
from tests.fault.ledger import Entry
from tests.fault.loads import Crowd, Load, answers
from tests.fault.sight import wrongly_seen
from tests.fault.verdict import HARMED, broken, fates

PAUSE_S = (0.0, 1.0)
"""Between two acts at the web channel."""

PAUSE_AT_A_BOT_S = (0.0, 3.0)
"""There are several bots, and two processors."""

POLL_S = 0.2


async def burst(crowd: Crowd) -> None:
    """One conversation gets four questions at once, which are answered in their order."""
    tokens = [crowd.token() for _ in range(4)]
    await crowd.script(*(answers(token) for token in tokens))
    name = crowd.conversation("burst")
    for token in tokens:
        await crowd.say(name, token)
    await crowd.ended()


async def interrupt(crowd: Crowd) -> None:
    """What comes while an answer is written ends it, and is answered itself."""
    first, second = crowd.token(), crowd.token()
    await crowd.script(answers(second), {**answers(first), "delay_s": loads.SLOW_S})
    name = crowd.conversation("interrupt")
    await crowd.say(name, first)
    await crowd.until_running(name, first)
    await crowd.say(name, second)
    await crowd.ended()


async def group_burst(crowd: Crowd) -> None:
    """Three things are asked in one place, one of them with a file."""
    tokens = [crowd.token() for _ in range(3)]
    await crowd.script(*(answers(token) for token in reversed(tokens)))
    name, spot = crowd.conversation("group"), crowd.spot()
    for number, token in enumerate(tokens):
        files = [Handed("notes.txt", "text/plain", b"notes of " + token.encode())]
        await crowd.say_at_platform(name, token, *(files if number == 1 else []), spot=spot)
    await crowd.ended()


async def edit(crowd: Crowd) -> None:
    """Somebody changes what they asked, perhaps too late."""
    token = crowd.token()
    await crowd.script(answers(token))
    said = await crowd.say_at_platform(crowd.conversation("edit"), token, spot=crowd.spot())
    assert crowd.driver is not None
    await crowd.driver.edits(said, f"{token} if you please")
    await crowd.ended()


async def delete(crowd: Crowd) -> None:
    """Somebody deletes what waits for its turn, perhaps too late; what they ask next is answered.

    Where a platform does not tell its bots, nobody does.
    """
    if crowd.driver is None or not crowd.driver.traits.can_delete:
        return
    first, gone, last = (crowd.token() for _ in range(3))
    slow = {**answers(first), "delay_s": loads.SLOW_S}
    await crowd.script(answers(last), answers(gone), slow)
    name, spot = crowd.conversation("delete"), crowd.spot()
    for token in (first, gone):
        await crowd.say_at_platform(name, token, spot=spot)
    await crowd.take_back(gone)
    await crowd.say_at_platform(name, last)
    await crowd.ended()


async def press(crowd: Crowd) -> None:
    """A long answer is stopped by the button below it; what is said after it is answered."""
    long, after = crowd.token(), crowd.token()
    await crowd.script(answers(after), {**answers(long), "delay_s": loads.NEVER_S})
    name = crowd.conversation("press")
    await crowd.say_at_platform(name, long)
    await crowd.press(name, long, "Stop")
    await crowd.say_at_platform(name, after)
    await crowd.ended()


ON_THE_WEB: dict[str, Sequence[Load]] = {
    "queue": (loads.talk, loads.stop, burst, loads.look),
    "steer": (loads.steer, loads.look),
    "collect": (loads.collect, loads.look),
    "interrupt": (interrupt, loads.look),
}
AT_A_BOT: Sequence[Load] = (loads.chat, group_burst, edit, delete, press)


@dataclass
class Acts:
    """Streams of acts over one seed, one at each channel, until it is enough.

    Attributes:
        bots: The people at each chat platform, by its name.
        explained: Errors that what is done to the system explains.
        odd: What went wrong in a way that is no promise, such as an answer of HTTP 500.
    """

    web: Crowd
    bots: Mapping[str, Crowd]
    seed: str
    explained: Collection[str] = HARMED
    odd: list[str] = field(default_factory=list)
    is_enough: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def crowds(self) -> list[Crowd]:
        """Everybody."""
        return [self.web, *self.bots.values()]

    async def run(self) -> None:
        """Act until it is enough; return when everything that was begun has ended."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._on_the_web())
            for platform, crowd in self.bots.items():
                group.create_task(self._at_a_bot(platform, crowd))

    async def _on_the_web(self) -> None:
        chance = random.Random(f"{self.seed}/web")
        while not self.is_enough.is_set():
            mode = chance.choice(sorted(ON_THE_WEB))
            await loads.set_mode(self.web.kube, mode)
            wanted = chance.sample(ON_THE_WEB[mode], 2)
            await self._act(self.web, wanted)
            await self._pause(chance, PAUSE_S)

    async def _at_a_bot(self, platform: str, crowd: Crowd) -> None:
        chance = random.Random(f"{self.seed}/{platform}")
        while not self.is_enough.is_set():
            await self._act(crowd, [chance.choice(AT_A_BOT)])
            await self._pause(chance, PAUSE_AT_A_BOT_S)

    async def _act(self, crowd: Crowd, wanted: Sequence[Load]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for load in wanted:
                    group.create_task(load(crowd))
        except* AssertionError as errors:
            self.odd += [f"odd: {error}" for error in errors.exceptions]

    async def _pause(self, chance: random.Random, seconds: tuple[float, float]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(chance.uniform(*seconds)):
                await self.is_enough.wait()

    async def once_more(self) -> None:
        """Everybody is answered one thing more, in the mode that answers one by one."""
        await loads.set_mode(self.web.kube, "queue")
        for crowd in self.crowds:
            await loads.once_more(crowd)

    async def until_seen(self) -> None:
        """Return when everybody sees what they ought to see."""
        while await self._unseen():  # noqa: ASYNC110 - another program shows it
            await asyncio.sleep(POLL_S)

    async def _unseen(self) -> list[Entry]:
        return [entry for crowd in self.crowds for entry in await wrongly_seen(crowd)]

    async def problems(self) -> list[str]:
        """Return every promise that was not kept."""
        found = [entry for crowd in self.crowds for entry in await broken(crowd, self.explained)]
        return [*self.odd, *map(str, found)]

    def fates(self) -> Counter[str]:
        """Return how much was said, and how often it ended how."""
        return sum((fates(crowd.said, crowd.observer) for crowd in self.crowds), Counter())
