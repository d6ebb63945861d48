"""Giving a message up: its sender is told, and it is kept among the dead letters."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

from sympozium.bus.ports import Bus
from sympozium.contract.dead_letters import DeadLetter, read_headers
from sympozium.contract.reasons import Reason
from sympozium.contract.subjects import DEAD, INBOX, dead
from sympozium.store.ports import Message, SessionStore
from sympozium_router.clock import Clock
from sympozium_router.dead.again import retry_choice
from sympozium_router.outbox.ends import failed_end
from sympozium_router.world.cluster import Cluster

log = logging.getLogger(__name__)

LOOK_AT = 200
"""Dead letters of a channel among which one is looked for; with more, an operator has to look."""


class Aside:
    """Sets messages aside. Doing it again changes nothing.

    Every method raises `TransientError` while a part of the system is away.
    """

    def __init__(self, bus: Bus, store: SessionStore, cluster: Cluster, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._cluster = cluster
        self._clock = clock

    async def refuse(self, row: Message, reason: Reason) -> bool:
        """Record a message with its refusal; return False if it has a run or another end."""
        end = failed_end(row, reason, now=self._clock())
        if reason is Reason.SET_ASIDE:
            end = replace(end, choices=(retry_choice(row),))
        message = await self._store.record(replace(row, end=end))
        if message.end is None and not message.run_uid:
            await self._cancel(message)
            message = await self._store.finish(message.key, end)
        error = message.end.error if message.end else None
        return error is not None and error.code == reason

    async def bury(self, sequence: int, cause: str, attempts: int) -> None:
        """Keep what INBOX holds at *sequence* among the dead letters."""
        stored = await self._bus.at(INBOX, sequence)
        if stored is None:
            return  # too old even for the stream
        letter = DeadLetter(
            stream=INBOX,
            subject=stored.subject,
            sequence=sequence,
            reason=cause,
            attempts=attempts,
            time=datetime.now(UTC),
            size_bytes=len(stored.data),
        )
        await self._bus.bury(letter, stored.data)
        extra = {"action": "discard", "sequence": sequence, "cause": cause}
        log.warning("message set aside", extra=extra)

    async def unbury(self, first: Message) -> None:
        """Remove the dead letter of a message that its sender has tried again, if it is there."""
        subject, since = dead(INBOX, first.namespace, first.channel), 1
        for _ in range(LOOK_AT):
            stored = await self._bus.next(DEAD, subject, since=since)
            if stored is None:
                return
            if read_headers(subject, stored.headers).sequence == first.sequence:
                await self._bus.unbury(stored.sequence)
                return
            since = stored.sequence + 1

    async def _cancel(self, message: Message) -> None:
        """End the run of a message that is refused, should it have been created."""
        name = message.run_name
        run = await self._cluster.run_named(message.namespace, name) if name else None
        if run is not None and (run["spec"].get("source") or {}).get("messageId") == message.id:
            await self._cluster.cancel_run(message.namespace, name)
