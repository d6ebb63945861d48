"""What runs say on the bus, taken to their status."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from sympozium.bus.ports import Bus, Delivery
from sympozium.bus.settle import settle
from sympozium.bus.suspects import Suspects
from sympozium.contract.errors import PermanentError
from sympozium.contract.names import RunUid
from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import (
    Absorbed,
    Blocked,
    Failure,
    Result,
    Started,
    recorded_event,
)
from sympozium.contract.subjects import RUNS, RUNS_CONSUMER, run_of
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium_controller.runs.endings import Ending
from sympozium_controller.runs.marks import BusMarks
from sympozium_controller.runs.observe import RunCache
from sympozium_controller.runs.reconcile import RunReconciler

log = logging.getLogger(__name__)

MAX_AT_ONCE = 64
"""Run events in our hands; the rest waits on the bus."""


Now = Callable[[], datetime]


class Results:
    """Consumes RUNS: an event is acknowledged once what it says is in the status."""

    def __init__(self, bus: Bus, cache: RunCache, reconciler: RunReconciler, now: Now) -> None:
        self._bus = bus
        self._cache = cache
        self._reconciler = reconciler
        self._now = now
        self._suspects = Suspects(BusMarks(bus))

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until *stop* is set; what is in our hands is finished."""
        slots = asyncio.Semaphore(MAX_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            feeder = group.create_task(self._feed(group, slots))
            await stop.wait()
            feeder.cancel()

    async def handle(self, delivery: Delivery) -> None:
        """Do what one event asks for.

        Raises:
            PermanentError: It is no run event.
        """
        namespace, uid = run_of(delivery.subject)
        event = recorded_event(delivery.data)
        if isinstance(event, Started):
            self._cache.said_started(uid, self._now())
            return
        if isinstance(event, Absorbed):
            self._cache.said_absorbed(uid)
            return
        if isinstance(event, Blocked):
            self._cache.said_blocked(uid, event.connections)
            return
        if not isinstance(event, Result | Failure):
            return
        reach(Point.CONTROLLER_ENDING_RECEIVED)
        await self._end(namespace, uid, Ending(event, delivery.sequence))

    async def tell(self, delivery: Delivery, reason: str) -> None:
        """End a run whose own word at its end is given up, so that nobody waits for its deadline.

        Raises:
            TransientError: It is not written; try again.
            FatalMessageError: Controllers died of this too.
        """

        async def end() -> None:
            namespace, uid = run_of(delivery.subject)
            try:
                event = recorded_event(delivery.data)
            except PermanentError:
                return  # whether it was an ending is not known; the Job's own will tell
            if isinstance(event, Result | Failure):
                failure = Failure(reason=Reason.INTERNAL, detail=_given_up(namespace, uid, reason))
                await self._end(namespace, uid, Ending(failure, delivery.sequence))

        await self._suspects.handle(delivery.sequence, end, what="told")

    async def _end(self, namespace: str, uid: RunUid, ending: Ending) -> None:
        run = self._cache.unfinished(uid)
        if run is None or run["metadata"]["namespace"] != namespace:
            log.debug("ending of no active run", extra={"action": "drop", "run": uid})
            return
        await self._reconciler.end((namespace, run["metadata"]["name"]), ending)

    async def _feed(self, group: asyncio.TaskGroup, slots: asyncio.Semaphore) -> None:
        async with self._bus.consume(RUNS_CONSUMER) as deliveries:
            async for delivery in deliveries:
                await slots.acquire()
                group.create_task(self._one(delivery, slots))

    async def _one(self, delivery: Delivery, slots: asyncio.Semaphore) -> None:
        try:
            await settle(delivery, self.handle, suspects=self._suspects, tell=self.tell)
        finally:
            slots.release()


def _given_up(namespace: str, uid: RunUid, reason: str) -> str:
    """Say to an operator where what the run said is now."""
    where = f"--stream {RUNS} --namespace {namespace} --name {uid}"
    return f"what the run said at its end was given up: {reason}; see: sympozium dead list {where}"
