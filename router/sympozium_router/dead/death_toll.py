"""Telling operators that there are dead letters: a condition of the Channel, and a metric."""

import asyncio
import logging
from collections import Counter

from sympozium.bus import graves
from sympozium.bus.nats import NatsBus
from sympozium.contract.channel import DELIVERED
from sympozium.contract.conditions import Condition
from sympozium.contract.errors import SympoziumError, TransientError
from sympozium.contract.resources import Object
from sympozium.contract.subjects import INBOX, OUTBOX
from sympozium.contract.times import kube_time
from sympozium.runtime.loops import pause
from sympozium.runtime.metrics import text_of
from sympozium_router.clock import Clock
from sympozium_router.world.channel_status import with_condition
from sympozium_router.world.cluster import Cluster

log = logging.getLogger(__name__)

LOOK_EVERY_S = 15.0
METRIC = "sympozium_dead_letters"

_OF_CHANNELS = (INBOX, OUTBOX)


class DeathToll:
    """Counts the dead letters now and then. What changed is said; nothing else is asked."""

    def __init__(self, bus: NatsBus, cluster: Cluster, clock: Clock) -> None:
        self._bus = bus
        self._cluster = cluster
        self._clock = clock
        self._counts: dict[str, int] = {}
        self._changed = asyncio.Event()

    def look_now(self) -> None:
        """Have them counted at once: an operator has just removed one."""
        self._changed.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Count until *stop* is set."""
        while not stop.is_set():
            self._changed.clear()  # before the look, which may miss what changes during it
            try:
                await self.look()
            except TransientError as error:
                cause = {"action": "retry", "cause": str(error)}
                log.warning("dead letters not counted", extra=cause)
            await pause(LOOK_EVERY_S, stop, self._changed)

    async def look(self) -> None:
        """Count the dead letters, and have every Channel's condition say what is so.

        What cannot be written of one Channel is written at a later look.

        Raises:
            BusUnavailableError: They cannot be counted now.
        """
        self._counts = await graves.counts(self._bus.client.jetstream())
        by_channel: dict[tuple[str, str], Counter[str]] = {}
        for subject, count in self._counts.items():
            _, stream, namespace, name = (*subject.split("."), "", "", "")[:4]
            by_channel.setdefault((namespace, name), Counter())[stream] += count
        for channel in self._cluster.channels():
            metadata = channel["metadata"]
            dead = by_channel.get((metadata["namespace"], metadata["name"]), Counter())
            try:
                await self._say(channel, {stream: dead[stream] for stream in _OF_CHANNELS})
            except SympoziumError as error:
                extra = {"action": "retry", "channel": metadata["name"], "cause": str(error)}
                log.warning("dead letters not told", extra=extra)

    def as_text(self) -> str:
        """Return the counts in the text form that Prometheus reads."""
        samples = []
        for subject, count in sorted(self._counts.items()):
            _, stream, namespace, name = (*subject.split("."), "", "", "")[:4]
            samples.append(({"stream": stream, "namespace": namespace, "name": name}, count))
        says = "Messages that were given up and wait for an operator."
        return text_of(METRIC, "gauge", says, samples)

    async def _say(self, channel: Object, dead: dict[str, int]) -> None:
        """Write the condition where it says something new; a Channel without trouble has none."""
        metadata, status = channel["metadata"], channel.get("status") or {}
        is_known = any(one.get("type") == DELIVERED for one in status.get("conditions") or ())
        if not (sum(dead.values()) or is_known):
            return
        condition = _condition(metadata, dead, kube_time(self._clock()))
        if with_condition(status, condition) is not None:
            await self._cluster.set_condition(metadata["namespace"], metadata["name"], condition)


def _condition(metadata: Object, dead: dict[str, int], now: str) -> Condition:
    if not sum(dead.values()):
        return Condition(
            type=DELIVERED,
            status="True",
            reason="NoDeadLetters",
            message="No message waits for an operator.",
            last_transition_time=now,
        )
    said = " and ".join(f"{count} of {stream}" for stream, count in dead.items() if count)
    where = f"--namespace {metadata['namespace']} --name {metadata['name']}"
    return Condition(
        type=DELIVERED,
        status="False",
        reason="DeadLetters",
        message=f"Messages were given up: {said}. Look at them: sympozium dead list {where}",
        last_transition_time=now,
    )
