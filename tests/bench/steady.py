"""A steady load of many conversations, at the web channel and at a chat platform.

Some people send files. And now and then the platform says what nobody can read.
"""

import asyncio
import os
import time
from dataclasses import dataclass, field

import aiohttp

from sympozium.testing.channels.driver import Driver, Handed, Spot, Where
from tests.fixtures.chat import Person

TALKS = 50
"""Conversations that go on side by side at the web channel."""

TURNS = 8
"""Messages of one conversation; then its place is taken by a new one."""

PEOPLE = 60
"""They write to the bot, each in a chat of their own."""

ONE_IN = 6
"""Every so many-th message goes to the bot."""

ONE_FILE_IN = 2
"""Every so many-th message to the bot has a file, which no other has."""

FILE_BYTES = 100_000

ONE_DEAD_IN = 15
"""With every so many-th message the platform says what ends among the dead letters."""

ANSWER = "all is well"
QUESTION = "soak: how are things?"

ONE_LONG_IN = 2
"""Every so many-th message is long, and so is its answer, unless it goes to the bot."""

LONG_REQUEST = "soak: read this"
LONG_QUESTION = f"{LONG_REQUEST}: {'x' * 60_000}"
LONG_ANSWER = "y" * 60_000

SCRIPT = (
    {"match": QUESTION, "answer": ANSWER},
    {"match": LONG_REQUEST, "answer": LONG_ANSWER},
)
"""What the model of the system says to all of it."""

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Answered:
    """One message and how long its answer took; None: there was none, or an error."""

    asked_at: float
    took_s: float | None


@dataclass
class Load:
    """Says *rate* messages a second until it is told to stop.

    Attributes:
        asked: How many were said.
        answered: What came of each, in the order of their ends.
    """

    person: Person
    driver: Driver
    rate: float
    asked: int = 0
    answered: list[Answered] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self, stop: asyncio.Event) -> None:
        """Say what is to be said until *stop* is set, and wait for the last answer."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch())
            async with asyncio.TaskGroup() as asking:
                while not stop.is_set():
                    asking.create_task(self._one(self.asked))
                    self.asked += 1
                    await asyncio.sleep(self._pause(began))
            watching.cancel()

    def _pause(self, began: float) -> float:
        """Return how long until the next message is due; what was late is made up for."""
        return max(began + self.asked / self.rate - time.monotonic(), 0.0)

    async def _one(self, number: int) -> None:
        asked_at = time.monotonic()
        is_answered = False
        try:
            async with asyncio.timeout(PATIENCE_S):
                if number % ONE_DEAD_IN == 0:
                    await self.driver.sends_nonsense()
                if number % ONE_IN:
                    is_answered = await self._at_web(number)
                else:
                    is_answered = await self._at_platform(number // ONE_IN)
        except (TimeoutError, AssertionError, OSError, aiohttp.ClientError):
            pass
        took_s = time.monotonic() - asked_at if is_answered else None
        self.answered.append(Answered(asked_at, took_s))

    async def _at_web(self, number: int) -> bool:
        conversation = f"soak-{number % TALKS}-{number // (TALKS * TURNS)}"
        async with self.person.events(conversation) as events:
            said = await self.person.say(
                conversation, QUESTION if number % ONE_LONG_IN else LONG_QUESTION
            )
            async for event in events:
                is_ours = event.data.get("message_id") == said
                if is_ours and event.type in {"final", "error"}:
                    return event.type == "final"
        return False

    async def _at_platform(self, number: int) -> bool:
        where = Where(Spot.DIRECT, f"person-{number % PEOPLE}")
        before = self._answers(where)
        content = os.urandom(FILE_BYTES)
        file = Handed("measurements", "application/octet-stream", content)
        files = () if number % ONE_FILE_IN else (file,)
        await self.driver.says(where.name, where, QUESTION, files=files)
        async with self._news:
            await self._news.wait_for(lambda: self._answers(where) > before)
        return True

    def _answers(self, where: Where) -> int:
        return sum(one.text == ANSWER and one.id != "draft" for one in self.driver.seen(where))

    async def _watch(self) -> None:
        while True:
            await self.driver.changed()
            async with self._news:
                self._news.notify_all()
