"""People who say something at a steady pace, and what became of each message, and when."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fault.ledger import Said
from tests.fault.observer import Observer
from tests.fixtures.chat import Person
from tests.fixtures.system import ScriptedModel


@dataclass
class Fate:
    """One message: when it was said, was accepted and ended, in seconds since the talk began."""

    said: Said
    said_s: float
    accepted_s: float | None = None
    ended_s: float | None = None


@dataclass
class Talk:
    """Messages at a steady pace, none of which waits for another. It begins when it is made.

    Attributes:
        rate: Messages a second.
        duration_s: How long somebody goes on saying something.
        conversations: In how many they are said, in turn.
        seed: The same seed says the same things; a system that heard them has them answered.
    """

    person: Person
    model: ScriptedModel
    observer: Observer
    rate: float
    duration_s: float
    conversations: int
    seed: int = 1
    fates: list[Fate] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    def now_s(self) -> float:
        """Return the seconds since the talk began."""
        return time.monotonic() - self._began

    async def run(self) -> None:
        """Say everything, and return when all of it was accepted and has ended."""
        messages = self._messages()
        await self.model.script({"match": "", "repeat": True})
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch(lambda: len(self.fates) == len(messages)))
            for number, said in enumerate(messages):
                await asyncio.sleep(number / self.rate - self.now_s())
                group.create_task(self._say(said))
            await watching

    def _messages(self) -> list[Said]:
        rng = random.Random(self.seed)
        tokens = [f"tok{rng.getrandbits(40):010x}" for _ in range(int(self.rate * self.duration_s))]
        return [
            Said(token, f"steady-{number % self.conversations}")
            for number, token in enumerate(tokens)
        ]

    async def _say(self, said: Said) -> None:
        fate = Fate(said, self.now_s())
        self.fates.append(fate)
        await self.person.say(said.conversation, f"{said.token} please", client_id=said.token)
        fate.accepted_s = self.now_s()

    async def _watch(self, is_all_said: Callable[[], bool]) -> None:
        """Note when each message ends, until all have."""
        open_: list[Fate] = []
        seen = 0
        while not is_all_said() or open_ or seen < len(self.fates):
            await self.observer.changed()
            open_ += self.fates[seen:]
            seen = len(self.fates)
            for fate in open_:
                if self.observer.is_ended(fate.said.token):
                    fate.ended_s = self.now_s()
            open_ = [fate for fate in open_ if fate.ended_s is None]
