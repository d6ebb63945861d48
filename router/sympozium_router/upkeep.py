"""Deleting what is old: messages, notes and choices, a few at a time, and pairing codes."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

from sympozium.bus.ports import Bus, NoConsumerError
from sympozium.contract.errors import SympoziumError, TransientError
from sympozium.contract.resources import Object
from sympozium.contract.subjects import INBOX, inbox_consumer, namespace_of_line
from sympozium.runtime.loops import pause
from sympozium.store.ports import Notes, Upkeep
from sympozium_router.clock import Clock
from sympozium_router.inbox.pairing import still_open
from sympozium_router.world.cluster import Cluster

log = logging.getLogger(__name__)

PRUNE_EVERY = timedelta(hours=1)
PRUNE_AT_ONCE = 500
"""So few that a commit in between waits only milliseconds."""

PAUSE_S = 0.05
LOOK_AT_CODES_EVERY = timedelta(minutes=5)

KEEP_NOTES = timedelta(days=14)
"""Longer than a channel's messages can wait in the streams."""


class Store(Upkeep, Notes, Protocol):
    """What pruning needs of the session store."""


class Pruning:
    """Keeps the store from growing for ever."""

    def __init__(self, bus: Bus, store: Store, keep: timedelta, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._keep = keep
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        """Prune now and every hour until *stop* is set."""
        while not stop.is_set():
            try:
                await self.prune(stop)
            except TransientError as error:
                log.warning("pruning put off", extra={"action": "retry", "cause": str(error)})
            await pause(PRUNE_EVERY.total_seconds(), stop)

    async def prune(self, stop: asyncio.Event) -> int:
        """Delete everything that is old enough; return how many messages that were.

        Raises:
            TransientError: The bus or the store is away. The rest stays until the next time.
        """
        total = 0
        for namespace, settled in (await self._settled()).items():
            total += await self._prune_messages(namespace, settled, stop)
        now = self._clock()
        await _all(
            lambda: self._store.prune_talks(unused_since=now - self._keep, limit=PRUNE_AT_ONCE),
            stop,
        )
        await _all(
            lambda: self._store.prune_notes(
                written_before=now - KEEP_NOTES, now=now, limit=PRUNE_AT_ONCE
            ),
            stop,
        )
        if total:
            log.info("old messages deleted", extra={"action": "prune", "count": total})
        return total

    async def _settled(self) -> dict[str, int]:
        """Return up to where the messages of each namespace are settled.

        With them, under no name, nothing: so old is the rest that no stream holds it.
        """
        settled = {}
        for name in await self._bus.consumers(INBOX):
            if namespace := namespace_of_line(name):
                with contextlib.suppress(NoConsumerError):  # it went meanwhile
                    state = await self._bus.state(inbox_consumer(namespace))
                    settled[namespace] = state.acknowledged
        return {**settled, "": 0}

    async def _prune_messages(self, namespace: str, settled: int, stop: asyncio.Event) -> int:
        ended_before = self._clock() - self._keep
        return await _all(
            lambda: self._store.prune(
                ended_before=ended_before, limit=PRUNE_AT_ONCE, up_to=settled, namespace=namespace
            ),
            stop,
        )


class ExpiredCodes:
    """Takes pairing codes that have expired out of the Channels' status."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        """Look every few minutes until *stop* is set."""
        while not stop.is_set():
            try:
                await self.remove()
            except SympoziumError as error:  # nobody is let in by them: the rest can wait
                log.warning("codes not removed", extra={"action": "retry", "cause": str(error)})
            await pause(LOOK_AT_CODES_EVERY.total_seconds(), stop)

    async def remove(self) -> None:
        """Remove the codes that have expired by now.

        Raises:
            SympoziumError: A Channel could not be written.
        """
        now = self._clock()

        def change(status: Object) -> Object | None:
            known = status.get("pairings") or []
            left = still_open(known, now=now)
            return None if len(left) == len(known) else {"pairings": left}

        for channel in self._cluster.channels():
            if change(channel.get("status") or {}) is not None:
                metadata = channel["metadata"]
                await self._cluster.change_channel_status(
                    metadata["namespace"], metadata["name"], change
                )


async def _all(prune_some: Callable[[], Awaitable[int]], stop: asyncio.Event) -> int:
    """Prune until there is nothing left or *stop* is set; return how many that were."""
    total = 0
    while not stop.is_set():
        deleted = await prune_some()
        total += deleted
        if deleted < PRUNE_AT_ONCE:
            break
        await pause(PAUSE_S, stop)
    return total
