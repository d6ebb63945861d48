"""Many answers to many chats on a simulated clock, under a platform's own limits.

The parts are the real ones, from the end of a message to the platform's port; the
router's notes are in memory, and the platform is the stand-in, which keeps its limits
strictly, is a network away, and is sometimes busy for no fault of ours.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sympozium.bus.ports import NoAnswerError, Responder
from sympozium.chat.capabilities import Capabilities
from sympozium.chat.desk import Desk
from sympozium.chat.errors import PlatformBusyError
from sympozium.chat.files import Files
from sympozium.chat.health import Health
from sympozium.chat.metrics import Counted
from sympozium.chat.outbox.ending import Ending, Occasion
from sympozium.chat.outbox.records import Records
from sympozium.chat.outbox.standing import Standing
from sympozium.chat.outbox.voice import Cosmetic, Voice
from sympozium.chat.platform import Target
from sympozium.contract.desk import NotesAnswer, NotesRequest
from sympozium.contract.envelope import decode, encode
from sympozium.contract.messages import OutboundKind, OutboundMessage
from sympozium.contract.names import ConversationId, MessageId
from tests.chat.stand_in import StandIn

LONGEST_DELAY_S = 0.15
COSMETICS_EVERY_S = 4.0


@dataclass(frozen=True)
class Weather:
    """What happens to calls for no fault of ours.

    Attributes:
        busy_share: Share of calls that are answered by asking to wait.
        overall_share: Share of those that mean the whole bot.
    """

    busy_share: float = 0.01
    overall_share: float = 0.02
    longest_wait_s: float = 5.0


@dataclass(frozen=True)
class Figures:
    """What came of it.

    Attributes:
        share: Of the calls that the platform would have allowed in that time, bot-wide.
    """

    replies: int
    lost: int
    doubled: int
    out_of_order: int
    calls: int
    took_s: float
    share: float
    avoidable: int
    in_penalty: int
    injected: int
    shed: int


class NotesInMemory:
    """The router's desk, without a bus between."""

    def __init__(self) -> None:
        self._notes: dict[str, str] = {}

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        """Keep and read notes."""
        if not subject.startswith("notes."):
            raise NoAnswerError(f"cannot get an answer on {subject!r}")
        request = decode(data, NotesRequest)
        self._notes |= request.put
        found = {key: self._notes[key] for key in request.get if self._notes.get(key)}
        return encode(NotesAnswer(notes=found))

    async def send(self, subject: str, data: bytes) -> None:
        """Nobody listens."""

    def listen(self, subject: str) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, bytes]]]:
        """Nobody speaks."""
        raise NotImplementedError

    def respond(
        self, subject: str, respond: Responder, *, group: str
    ) -> AbstractAsyncContextManager[None]:
        """Nobody asks."""
        raise NotImplementedError


class Simulation:
    """One bot, all of its chats, and one seed."""

    def __init__(self, capabilities: Capabilities, weather: Weather, seed: int) -> None:
        self._random = random.Random(seed)
        self._weather = weather
        self._injected = 0
        self.platform = StandIn(
            capabilities,
            delay=lambda: self._random.uniform(0.01, LONGEST_DELAY_S),
            longest_delay_s=LONGEST_DELAY_S,
        )
        self.platform.misfortune = self._misfortune
        bus = NotesInMemory()
        desk, self._health = Desk(bus, "default", "talk"), Health(lambda: True)
        standing = Standing(desk, self._health)
        self._voice = Voice(self.platform, desk, standing, self._health.metrics)
        files = Files.__new__(Files)  # no answer here has any
        self._ending = Ending(self._voice, Records(desk), files)

    async def run(self, *, chats: int, replies: int) -> Figures:
        """Show *replies* answers to *chats* chats, all of them due at once."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        async with asyncio.TaskGroup() as all_of_it:
            cosmetics = [
                all_of_it.create_task(self._decorate(number)) for number in range(chats // 10)
            ]
            async with asyncio.TaskGroup() as group:
                for number in range(chats):
                    group.create_task(self._answer(number, replies // chats))
            took_s = loop.time() - start
            for task in cosmetics:
                task.cancel()
        return self._figures(chats, replies, took_s)

    async def _answer(self, chat: int, count: int) -> None:
        until = datetime.now(UTC) + timedelta(days=13)
        for number in range(count):
            target = _target(chat, number)
            message = OutboundMessage(
                kind=OutboundKind.FINAL,
                message_id=target.message_id,
                conversation=target.conversation,
                text=f"answer {number}",
            )
            await self._ending.show(target, message, Occasion(until))

    async def _decorate(self, chat: int) -> None:
        """Ask for "typing" again and again, as a run at work does."""
        target = _target(chat, 0)
        await asyncio.sleep(self._random.uniform(0, COSMETICS_EVERY_S))
        while True:
            await self._voice.offer(
                target, Cosmetic.SIGNAL, lambda: self.platform.signal(target, "working")
            )
            await asyncio.sleep(COSMETICS_EVERY_S)

    def _misfortune(self) -> Exception | None:
        if self._random.random() >= self._weather.busy_share:
            return None
        self._injected += 1
        return PlatformBusyError(
            "busy",
            retry_after_s=self._random.uniform(0.5, self._weather.longest_wait_s),
            is_overall=self._random.random() < self._weather.overall_share,
        )

    def _figures(self, chats: int, replies: int, took_s: float) -> Figures:
        platform, each = self.platform, replies // chats
        by_chat: dict[str, list[str]] = {}
        for seen in platform.seen():
            by_chat.setdefault(seen.chat, []).append(seen.text)
        expected = [f"answer {number}" for number in range(each)]
        shown = list(by_chat.values())
        allowed = min(rate.count / rate.per_s for rate in platform.capabilities.overall)
        return Figures(
            replies=sum(len(texts) for texts in shown),
            lost=replies - sum(len(set(texts) & set(expected)) for texts in shown),
            doubled=sum(len(texts) - len(set(texts)) for texts in shown),
            out_of_order=sum(texts != expected for texts in shown),
            calls=platform.accepted,
            took_s=took_s,
            share=platform.accepted / (allowed * took_s),
            avoidable=platform.avoidable_refusals,
            in_penalty=platform.calls_in_penalty,
            injected=self._injected,
            shed=self._health.metrics.value(Counted.COSMETICS_SHED),
        )


def _target(chat: int, number: int) -> Target:
    return Target(ConversationId(f"c{chat}"), MessageId(f"c{chat}/m{number}"), "")
