"""What people do while a program dies: small, seeded, and enough to come by every sync point."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from sympozium.contract.errors import TransientError
from sympozium.contract.resources import CHANNELS
from sympozium.kube.client import Kube
from sympozium.testing.channels.driver import Driver, Handed, Seen, Spot, Where
from tests.fault.bots import PERSON
from tests.fault.ledger import Said
from tests.fault.observer import Observer
from tests.fixtures.chat import Person
from tests.fixtures.system import ScriptedModel

POLL_S = 0.05
SLOW_S = 0.25
"""Pause before each word of an answer during which something else is to happen."""

STEERED_WORDS = 20
"""Of an answer that lasts longer than a router is away that dies meanwhile."""

NEVER_S = 60.0
PARTS, WORDS_OF_A_PART = 15, 100
"""Of an answer that no platform shows in one piece."""

WORDS_OF_ANSWERS = ("reply to", "word", "part-", "Stopped", "nothing to stop")
"""Each piece of each answer has one of them."""

ROOMS = 3
"""Rooms in which threads of several conversations stand beside each other."""

PRESSED_AGAIN_S = 5.0
"""Who presses a button and sees nothing come of it does so again after a while."""


@dataclass
class Crowd:
    """People at the web channel and at a chat platform, who note what they said.

    Attributes:
        seed: The same seed says the same things.
        bot: The channel at the chat platform, and the platform.
        unaccepted: What is being said, and nobody has taken yet.
    """

    person: Person
    model: ScriptedModel
    kube: Kube
    observer: Observer
    seed: str
    driver: Driver | None = None
    said: list[Said] = field(default_factory=list)
    unaccepted: list[Said] = field(default_factory=list)
    places: dict[str, Where] = field(default_factory=dict)
    behaviours: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with the seed."""
        self._random = random.Random(self.seed)
        self._spots = random.Random(f"{self.seed}/spots")

    def token(self) -> str:
        """Return a word that nobody used before."""
        return f"tok{self._random.getrandbits(40):010x}"

    def conversation(self, name: str) -> str:
        """Return the name of a conversation that nobody had before."""
        return f"{name}-{self._random.getrandbits(32):08x}"

    async def script(self, *behaviours: dict[str, Any]) -> None:
        """Have the model do this, too, and before what it was told earlier.

        A question in a thread may quote the one that the thread hangs on.
        """
        self.behaviours[:0] = behaviours
        await self.model.script(*self.behaviours)

    async def say(self, conversation: str, token: str, *, text: str = "") -> None:
        """Say something at the web channel, again under one id until it is accepted."""
        whole = text or f"{token} please"
        said = Said(token, conversation, is_command=bool(text))
        self.unaccepted.append(said)
        await self.person.say(conversation, whole, client_id=token)
        self.unaccepted.remove(said)
        self.said.append(said)

    @property
    def accepted(self) -> set[str]:
        """What the chat platform was told to be received, by its own names."""
        return set() if self.driver is None else set(self.driver.counts.accepted)

    def spot(self) -> Spot:
        """Return a kind of place at the chat platform, by chance."""
        return self._spots.choice((Spot.CHANNEL, Spot.DIRECT))

    async def say_at_platform(
        self, name: str, token: str, *files: Handed, spot: Spot = Spot.CHANNEL
    ) -> str:
        """Say something at the chat platform, which delivers it until it is accepted.

        A conversation that is new begins in a place of the kind *spot*. Where the platform
        has threads it is one, in a room with others, and goes on once the bot is in it.
        """
        assert self.driver is not None
        where = self.places.get(name) or self._new_place(name, spot)
        if where.thread:
            await self._until_in_thread(where)
        is_public = where.spot is Spot.CHANNEL
        said = await self.driver.says(
            PERSON, where, f"{token} please", mention=is_public, files=files
        )
        self.said.append(Said(token, name, identity=said))
        if is_public and self.driver.traits.has_threads and not where.thread:
            where = replace(where, thread=said)
        self.places[name] = where
        return said

    def _new_place(self, name: str, spot: Spot) -> Where:
        assert self.driver is not None
        if spot is Spot.CHANNEL and self.driver.traits.has_threads:
            return Where(spot, f"{self.seed} room {self._spots.randrange(ROOMS)}")
        return Where(spot, name)

    async def _until_in_thread(self, where: Where) -> None:
        while not self.posts(where):  # noqa: ASYNC110 - another program makes it
            await asyncio.sleep(POLL_S)

    def posts(self, where: Where) -> list[Seen]:
        """Return what the bot shows in a place."""
        assert self.driver is not None
        return posts_in(where, self.driver.seen)

    async def take_back(self, token: str) -> None:
        """Delete what was said at the chat platform."""
        assert self.driver is not None
        (number,) = (n for n, one in enumerate(self.said) if one.token == token)
        self.said[number] = replace(self.said[number], is_withdrawn=True)
        await self.driver.deletes(self.said[number].identity)

    async def press(self, name: str, token: str, label: str) -> None:
        """Press the button *label* below the answer to *token*, until that has an end."""
        assert self.driver is not None
        while not self.observer.is_ended(token):
            below = [post for post in self.posts(self.places[name]) if label in post.buttons]
            if not below:
                await asyncio.sleep(POLL_S)
                continue
            await self.driver.presses(PERSON, below[-1].id, label)
            with suppress(TimeoutError):
                async with asyncio.timeout(PRESSED_AGAIN_S):
                    while not self.observer.is_ended(token):
                        await self.observer.changed()

    async def until_running(self, conversation: str, token: str) -> None:
        """Return when the answer to *token* is being written, or there is one."""
        while not self.observer.is_ended(token):
            entries = await self.person.transcript(conversation)
            if any(token in one["text"] and one["state"] == "running" for one in entries):
                return
            await asyncio.sleep(POLL_S)

    async def ended(self) -> None:
        """Return when everything that was said, and stored before it was taken back, has an end."""
        while not all(self._is_over(one) for one in self.said):
            await self.observer.changed()

    def _is_over(self, said: Said) -> bool:
        is_stored = bool(self.observer.stored(said.token))
        is_gone = said.is_withdrawn and not is_stored
        return is_gone or self.observer.is_ended(said.token)


Load = Callable[[Crowd], Coroutine[Any, Any, None]]


def posts_in(where: Where, seen: Callable[[Where], list[Seen]]) -> list[Seen]:
    """Return what is *seen* in a place; of a thread that alone, and not its room."""
    there = seen(Where(where.spot, where.name))
    return [post for post in there if not where.thread or post.in_thread_of == where.thread]


async def talk(crowd: Crowd) -> None:
    """Two conversations, one with a follow-up that waits for its turn, one with a tool."""
    first, second, looked = (crowd.token() for _ in range(3))
    await crowd.script(
        answers(first),
        answers(second),
        {**answers(looked), "tool": "list_pods", "arguments": "{}"},
    )
    one, other = crowd.conversation("talk"), crowd.conversation("tool")
    async with asyncio.TaskGroup() as group:
        group.create_task(crowd.say(other, looked))
        await crowd.say(one, first)
        await crowd.say(one, second)
    await crowd.ended()


async def look(crowd: Crowd) -> None:
    """One question that takes a tool."""
    token = crowd.token()
    await crowd.script({**answers(token), "tool": "list_pods", "arguments": "{}"})
    await crowd.say(crowd.conversation("look"), token)
    await crowd.ended()


async def stop(crowd: Crowd) -> None:
    """A long answer is stopped; what was said after it is answered."""
    long, command, after = (crowd.token() for _ in range(3))
    await crowd.script({**answers(long), "delay_s": NEVER_S}, answers(after))
    name = crowd.conversation("stop")
    await crowd.say(name, long)
    await crowd.until_running(name, long)
    await crowd.say(name, after)
    await crowd.say(name, command, text=f"!stop {await _run_of(crowd, long)}")
    await crowd.ended()


async def collect(crowd: Crowd) -> None:
    """What comes while an answer is written waits, and is answered together."""
    first, second, third = (crowd.token() for _ in range(3))
    both = {"match": third, "answer": f"reply to {second} and {third}"}
    await crowd.script({**answers(first), "delay_s": SLOW_S}, both, answers(second))
    name = crowd.conversation("collect")
    await crowd.say(name, first)
    await crowd.until_running(name, first)
    await crowd.say(name, second)
    await crowd.say(name, third)
    await crowd.ended()


async def steer(crowd: Crowd) -> None:
    """What comes while an answer is written goes to the agent that writes it.

    Where it comes so early that the agent is asked both at once, its model answers both.
    """
    first, second = (crowd.token() for _ in range(2))
    both = {"match": second, "answer": f"reply to {second} and {first}"}
    words = " ".join("word" for _ in range(STEERED_WORDS))
    slow = {"match": first, "answer": f"reply to {first} {words}", "delay_s": SLOW_S}
    await crowd.script(both, slow)
    name = crowd.conversation("steer")
    await _say_and_see_written(crowd, name, first)
    await crowd.say(name, second)
    await crowd.ended()


async def _say_and_see_written(crowd: Crowd, name: str, token: str) -> None:
    """Say something and return when a word of its answer is seen, or it is being written.

    The stream breaks when the web channel dies.
    """
    try:
        async with crowd.person.events(name) as events:
            await crowd.say(name, token)
            async for event in events:
                if event.type in {"delta", "final", "error"}:
                    return
    except (aiohttp.ClientError, TimeoutError):
        pass
    if all(one.token != token for one in crowd.said):
        await crowd.say(name, token)
    await crowd.until_running(name, token)


async def chat(crowd: Crowd) -> None:
    """Two groups at a chat platform, one of which gets an answer of several pieces."""
    short, long = crowd.token(), crowd.token()
    await crowd.script(answers(short), {"match": long, "answer": _of_many_parts(long)})
    await crowd.say_at_platform(crowd.conversation("chat"), short)
    await crowd.say_at_platform(crowd.conversation("long"), long)
    await crowd.ended()


def _of_many_parts(token: str) -> str:
    """Return an answer of which every part has a mark of its own, and may be seen once."""
    words = " ".join("word" for _ in range(WORDS_OF_A_PART))
    parts = (f"part-{number}-of-{token[3:]} {words}" for number in range(PARTS))
    return " ".join((f"reply to {token}", *parts))


async def once_more(crowd: Crowd) -> None:
    """Everybody says one thing more, which is answered after everything before it."""
    names = {one.conversation for one in crowd.said}
    tokens = {name: crowd.token() for name in sorted(names)}
    await crowd.script(*(answers(token) for token in tokens.values()))
    async with asyncio.TaskGroup() as group:
        for name, token in tokens.items():
            if name in crowd.places:
                group.create_task(crowd.say_at_platform(name, token))
            else:
                group.create_task(crowd.say(name, token))
    await crowd.ended()


def answers(token: str) -> dict[str, Any]:
    return {"match": token, "answer": f"reply to {token} and good day"}


async def set_mode(kube: Kube, mode: str) -> None:
    """Have the web channel take what comes while an answer is written in this way."""
    while True:
        with suppress(TransientError):
            await kube.patch(CHANNELS, "default", "web", {"spec": {"mode": mode}})
            return
        await asyncio.sleep(POLL_S)


async def _run_of(crowd: Crowd, token: str) -> str:
    """Return the name of the run that answers *token*, as its page shows it."""
    (stored,) = crowd.observer.stored(token)
    while True:
        for one in crowd.observer.told(stored.message.message_id):
            return str(one.run_name)
        await asyncio.sleep(POLL_S)
