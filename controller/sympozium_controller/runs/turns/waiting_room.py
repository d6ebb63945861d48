"""Who waits, since when, and what they are told of it.

A run that waits longer than a moment says so in its status, which costs a write. Who
asked sees sooner, and again and again, how many come first: on the run's live subject,
where nothing is kept and nothing depends on it.
"""

import asyncio
import heapq
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sympozium.bus.cancelled import ended, heed_cancellation
from sympozium.bus.ports import LiveBus
from sympozium.contract.agentrun import Phase
from sympozium.contract.envelope import encode
from sympozium.contract.errors import TransientError
from sympozium.contract.limits import DEFAULT_RUN_TIMEOUT, MAX_QUEUED
from sympozium.contract.names import RunUid
from sympozium.contract.resources import AGENT_RUNS
from sympozium.contract.run_events import Waiting
from sympozium.contract.subjects import live
from sympozium.contract.times import parse_duration, parse_kube_time
from sympozium.kube.client import Kube
from sympozium.kube.errors import ConflictError, NotFoundError
from sympozium.kube.informer import Key
from sympozium_controller.runs import status
from sympozium_controller.runs.decide import SHORT_RUN
from sympozium_controller.runs.observe import RunCache
from sympozium_controller.runs.turns.turns import Turns, WaitsFor
from sympozium_controller.runs.view import Run, read_run

log = logging.getLogger(__name__)

TICK_S = 1.0

MAX_PLACES = 64
"""Places in line that are counted; whoever stands further back is told that it waits."""

TOLD_AT_ONCE = 200
"""Of all who wait, so many are told in a tick; a longer crowd takes its turns."""

TOLD_AGAIN_S = 10.0
ALWAYS_TOLD = 3
"""Whoever listens begins a moment after the run is there: the first words are repeated."""

NOTED_AT_ONCE = 20
"""Statuses that are written in a tick, so that a flood of those who wait slows nobody down."""

URGENT_S = 5.0
"""Before a run that did not say that it waits would be late, it says so, whatever it costs."""

_WORDS = {
    WaitsFor.EARLIER_MESSAGES: "earlier runs of its conversation have not ended",
    WaitsFor.CAPACITY: "there is no room for it yet; others are before it",
    WaitsFor.AGENT_LIMIT: "its Agent has as many runs at work as spec.maxConcurrent allows",
    WaitsFor.NAMESPACE_LIMIT: "its namespace has as many runs at work as the controller allows",
    WaitsFor.SYSTEM_LIMIT: "as many runs are at work as the controller allows",
    WaitsFor.QUOTA: "the ResourceQuota of its namespace is used up",
}


@dataclass(eq=False)
class _Waiter:
    """One run that waits.

    Attributes:
        is_behind: Earlier runs of its conversation have not ended.
        since: From when its waiting counts: without those that are before it.
        told: What was said last.
    """

    key: Key
    uid: RunUid
    is_behind: bool
    since: datetime
    entered: datetime
    told: Waiting | None = None
    told_at: float = 0.0
    times_told: int = 0


class WaitingRoom:
    """Keeps those who wait informed, and has them looked at when they waited too long."""

    def __init__(
        self, kube: Kube, bus: LiveBus, cache: RunCache, turns: Turns, wake: Callable[[Key], None]
    ) -> None:
        self._kube = kube
        self._bus = bus
        self._cache = cache
        self._turns = turns
        self._wake = wake
        self._waiters: dict[Key, _Waiter] = {}
        self._round: deque[Key] = deque()
        self._unnoted: list[tuple[datetime, Key]] = []
        self._too_long: list[tuple[datetime, Key]] = []
        self._filled = asyncio.Event()

    def enter(self, run: Run, *, is_behind: bool, now: datetime) -> datetime:
        """Take note that a run waits, and return from when its waiting counts.

        While others of its conversation are before it that is no waiting of its own.
        """
        key = (run.namespace, str(run.name))
        waiter = self._waiters.get(key)
        if waiter is None or waiter.uid != run.uid:
            waiter = _Waiter(key, run.uid, is_behind, _began(run, is_behind, now), now)
            self._waiters[key] = waiter
            self._round.append(key)
            self._attend(waiter, run)
            self._filled.set()
        elif waiter.is_behind and not is_behind:
            waiter.is_behind, waiter.since, waiter.entered = False, now, now
            self._attend(waiter, run)
        return waiter.since

    def leave(self, key: Key) -> None:
        """Take note that a run does not wait any more, or never did."""
        self._waiters.pop(key, None)
        if not self._waiters:
            self._filled.clear()
            self._round.clear()
            self._unnoted.clear()
            self._too_long.clear()

    async def run(self, stop: asyncio.Event) -> None:
        """Tell and note until *stop* is set. While nobody waits, nothing happens."""
        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(self._tick_loop())
            await stop.wait()
            await ended(ticking)

    async def _tick_loop(self) -> None:
        while True:
            await self._filled.wait()
            await asyncio.sleep(TICK_S)
            try:
                self._turns.tend()
                self._look_at_those_who_waited_too_long()
                await self._tell()
                await self._note()
            except TransientError as error:
                cause = {"action": "retry", "cause": str(error)}
                log.debug("not everybody was told that they wait", extra=cause)
            except Exception:  # what is shown of waiting must not stop the runs
                log.exception("waiting is not shown", extra={"action": "drop"})
            heed_cancellation()

    def _attend(self, waiter: _Waiter, run: Run) -> None:
        timeout = parse_duration(run.spec.timeout) if run.spec.timeout else DEFAULT_RUN_TIMEOUT
        heapq.heappush(self._unnoted, (waiter.since + timeout, waiter.key))
        if not waiter.is_behind:
            heapq.heappush(self._too_long, (waiter.since + MAX_QUEUED, waiter.key))

    def _look_at_those_who_waited_too_long(self) -> None:
        now = self._kube.now()
        while self._too_long and self._too_long[0][0] <= now:
            _, key = heapq.heappop(self._too_long)
            if key in self._waiters:
                self._wake(key)

    async def _tell(self) -> None:
        places = {key: place for place, key in enumerate(self._turns.upcoming(MAX_PLACES))}
        turn = [self._round.popleft() for _ in range(min(TOLD_AT_ONCE, len(self._round)))]
        turn = [key for key in turn if key in self._waiters]
        self._round.extend(turn)
        for key in dict.fromkeys((*places, *turn)):
            waiter = self._waiters.get(key)
            if waiter is not None:
                await self._tell_one(waiter, places)

    async def _tell_one(self, waiter: _Waiter, places: dict[Key, int]) -> None:
        run = self._cache.runs.get(*waiter.key)
        if run is None:
            return
        behind = self._cache.conversations.before(run)
        first = self._cache.conversations.first(run) if behind else None
        place = places.get(first or waiter.key)
        known = None if place is None and not behind else behind + (place or 0)
        said = Waiting(before=known, for_capacity=not behind)
        now = asyncio.get_running_loop().time()
        is_old = now - waiter.told_at >= TOLD_AGAIN_S
        if said == waiter.told and waiter.times_told >= ALWAYS_TOLD and not is_old:
            return
        waiter.times_told = waiter.times_told + 1 if said == waiter.told else 1
        waiter.told, waiter.told_at = said, now
        await self._bus.send(live(waiter.key[0], waiter.uid), encode(said))

    async def _note(self) -> None:
        """Write into the status of those who have waited for a while that they do."""
        for key in self._to_note(self._kube.now()):
            waiter, found = self._waiters.get(key), self._cache.runs.get(*key)
            if waiter is None or found is None or found["metadata"]["uid"] != waiter.uid:
                continue
            run = read_run(found)
            why = self._why(waiter)
            if run.is_finished or run.is_deleting or _noted(run) == why:
                continue
            facts = status.Facts(run=run, now=self._kube.now())
            wanted = status.queued(facts, why.value, _WORDS[why], since=waiter.since)
            try:
                written = await self._kube.replace(
                    AGENT_RUNS, {**found, "status": status.to_object(wanted)}, subresource="status"
                )
            except (ConflictError, NotFoundError):
                continue
            self._cache.runs.remember(written)

    def _to_note(self, now: datetime) -> list[Key]:
        chosen: list[Key] = []
        early: list[tuple[datetime, Key]] = []
        while self._unnoted:
            late_at, key = self._unnoted[0]
            is_urgent = (late_at - now).total_seconds() <= URGENT_S
            if not is_urgent and len(chosen) + len(early) >= NOTED_AT_ONCE:
                break
            heapq.heappop(self._unnoted)
            waiter = self._waiters.get(key)
            if waiter is None:
                continue
            if is_urgent or waiter.entered + SHORT_RUN <= now:
                chosen.append(key)
            else:
                early.append((late_at, key))
        for one in early:
            heapq.heappush(self._unnoted, one)
        return chosen

    def _why(self, waiter: _Waiter) -> WaitsFor:
        if waiter.is_behind:
            return WaitsFor.EARLIER_MESSAGES
        return self._turns.waits_for(waiter.key)


def _began(run: Run, is_behind: bool, now: datetime) -> datetime:
    """Return from when the waiting of a run counts that this program sees for the first time."""
    noted = _noted(run)
    if noted is None:
        return run.created
    if noted is WaitsFor.EARLIER_MESSAGES and not is_behind:
        return now
    return parse_kube_time(run.status.conditions[0].last_transition_time)


def _noted(run: Run) -> WaitsFor | None:
    conditions = run.status.conditions
    if run.status.phase is not Phase.QUEUED or not conditions:
        return None
    reason = conditions[0].reason
    return WaitsFor(reason) if reason in set(WaitsFor) else None
