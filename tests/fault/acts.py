"""What people go on doing while faults come: seeded, at the web channel and at the bot at once."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sympozium.testing.channels.driver import Handed
from tests.fault import loads
from tests.fault.ledger import Entry, check
from tests.fault.loads import Crowd, Load, answers
from tests.fault.sight import run_twice, wrongly_seen

PAUSE_S = (0.0, 1.0)
"""Between two acts."""

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
    """A group asks three things, one of them with a file."""
    tokens = [crowd.token() for _ in range(3)]
    await crowd.script(*(answers(token) for token in tokens))
    name = crowd.conversation("group")
    for number, token in enumerate(tokens):
        files = [Handed("notes.txt", "text/plain", b"notes of " + token.encode())]
        await crowd.say_at_platform(name, token, *(files if number == 1 else []))
    await crowd.ended()


async def edit(crowd: Crowd) -> None:
    """Somebody changes what they asked, perhaps too late."""
    token = crowd.token()
    await crowd.script(answers(token))
    said = await crowd.say_at_platform(crowd.conversation("edit"), token)
    assert crowd.driver is not None
    await crowd.driver.edits(said, f"@{BOT} {token} if you please")
    await crowd.ended()


BOT = "sympozium_test_bot"

ON_THE_WEB: dict[str, Sequence[Load]] = {
    "queue": (loads.talk, loads.stop, burst, loads.look),
    "steer": (loads.steer, loads.look),
    "collect": (loads.collect, loads.look),
    "interrupt": (interrupt, loads.look),
}
AT_THE_BOT: Sequence[Load] = (loads.chat, group_burst, edit)


@dataclass
class Acts:
    """Two streams of acts over one seed, until it is enough.

    Attributes:
        odd: What went wrong in a way that is no promise, such as an answer of HTTP 500.
    """

    web: Crowd
    bot: Crowd
    seed: str
    odd: list[str] = field(default_factory=list)
    is_enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Act until it is enough; return when everything that was begun has ended."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._on_the_web())
            group.create_task(self._at_the_bot())

    async def _on_the_web(self) -> None:
        chance = random.Random(f"{self.seed}/web")
        while not self.is_enough.is_set():
            mode = chance.choice(sorted(ON_THE_WEB))
            await loads.set_mode(self.web.kube, mode)
            wanted = chance.sample(ON_THE_WEB[mode], 2)
            await self._act(self.web, wanted)
            await self._pause(chance)

    async def _at_the_bot(self) -> None:
        chance = random.Random(f"{self.seed}/bot")
        while not self.is_enough.is_set():
            await self._act(self.bot, [chance.choice(AT_THE_BOT)])
            await self._pause(chance)

    async def _act(self, crowd: Crowd, wanted: Sequence[Load]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for load in wanted:
                    group.create_task(load(crowd))
        except* AssertionError as errors:
            self.odd += [f"odd: {error}" for error in errors.exceptions]

    async def _pause(self, chance: random.Random) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(chance.uniform(*PAUSE_S)):
                await self.is_enough.wait()

    async def once_more(self) -> None:
        """Everybody is answered one thing more, in the mode that answers one by one."""
        await loads.set_mode(self.web.kube, "queue")
        for crowd in (self.web, self.bot):
            await loads.once_more(crowd)

    async def until_seen(self) -> None:
        """Return when everybody sees what they ought to see."""
        while await self._unseen():  # noqa: ASYNC110 - another program shows it
            await asyncio.sleep(POLL_S)

    async def _unseen(self) -> list[str]:
        return [*await wrongly_seen(self.web), *await wrongly_seen(self.bot)]

    async def problems(self) -> list[str]:
        """Return every promise that was not kept."""
        found: list[Entry | str] = [*self.odd]
        for crowd in (self.web, self.bot):
            found += check(crowd.said, crowd.observer)
            found += await run_twice(crowd)
        return [str(one) for one in found] + await self._unseen()
