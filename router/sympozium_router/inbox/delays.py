"""Telling people that their messages wait, while a part of the system is away.

Before a run exists, nothing of a message is in OUTBOX: the store or the API server
would have to be there for that. The bus is, so channels are told on it directly,
which needs neither. It is said of who may speak and called the bot, as the copy of
the Channel says; of others nobody knows yet whether they are to be answered at all.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from sympozium.bus.ports import LiveBus
from sympozium.chat.access import may_speak
from sympozium.contract.envelope import encode
from sympozium.contract.errors import SympoziumError
from sympozium.contract.messages import InboundKind
from sympozium.contract.queued import TOLD_AFTER, Queued
from sympozium.contract.subjects import queued
from sympozium.runtime.loops import pause
from sympozium_router.inbox.letters import Letter
from sympozium_router.world.cluster import Cluster

LOOK_EVERY_S = 0.5
TELL_AGAIN_AFTER_S = 10.0
"""For a page that was opened, or a channel that was started, since."""


@dataclass(frozen=True)
class Held:
    """A message in our hands, and since when, on the monotonic clock."""

    letter: Letter
    since: float


class Delays:
    """Looks at what is held, again and again."""

    def __init__(self, bus: LiveBus, cluster: Cluster, held: Callable[[], Sequence[Held]]) -> None:
        self._bus = bus
        self._cluster = cluster
        self._held = held
        self._told: dict[int, float] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Tell whom it concerns until *stop* is set."""
        while not stop.is_set():
            await self.look(monotonic())
            await pause(LOOK_EVERY_S, stop)

    async def look(self, now: float) -> None:
        """Tell those whose messages are held for too long."""
        held = self._held()
        sequences = {one.letter.sequence for one in held}
        self._told = {key: at for key, at in self._told.items() if key in sequences}
        for one in held:
            told_at = self._told.get(one.letter.sequence)
            is_late = now - one.since >= TOLD_AFTER.total_seconds()
            if is_late and (told_at is None or now - told_at >= TELL_AGAIN_AFTER_S):
                self._told[one.letter.sequence] = now
                await self._tell(one.letter)

    async def _tell(self, letter: Letter) -> None:
        inbound = letter.inbound
        if inbound is None or letter.problem or not inbound.addressed:
            return
        if inbound.kind not in {InboundKind.MESSAGE, InboundKind.COMMAND}:
            return
        try:
            spec = await self._cluster.channel_spec(letter.namespace, letter.channel)
        except SympoziumError:  # nobody knows who may speak there
            return
        if spec is None or not may_speak(inbound.sender, inbound.place, spec.access):
            return
        said = Queued(
            message_id=inbound.message_id,
            conversation=inbound.conversation,
            reply_to=inbound.reply_to,
        )
        await self._bus.send(queued(letter.namespace, letter.channel), encode(said))
