"""The router's parts, put together over the connections they share."""

import asyncio
import logging
from datetime import timedelta

from sympozium.bus.clock import ClockWatch, of_stream
from sympozium.bus.lag import Lag, lines
from sympozium.bus.nats import NatsBus
from sympozium.bus.suspects import Suspects
from sympozium.contract.subjects import INBOX, OUTBOX
from sympozium.kube import measures as kube_measures
from sympozium.kube.client import Kube
from sympozium.kube.queue import depths_as_text
from sympozium.runtime.health import Health
from sympozium.runtime.loops import run_until_stopped
from sympozium.runtime.metrics import exposition
from sympozium.store import measures as store_measures
from sympozium.store.ports import SessionStore, StoreUnavailableError
from sympozium_router import measures
from sympozium_router.clock import Clock, utc_now
from sympozium_router.commands.commands import Commands
from sympozium_router.dead.again import Retries
from sympozium_router.dead.aside import Aside
from sympozium_router.dead.dead_letters import DeadLetters
from sympozium_router.dead.death_toll import DeathToll
from sympozium_router.dead.marks import StoreMarks
from sympozium_router.desk.fetches import Fetches
from sympozium_router.desk.history import History
from sympozium_router.desk.notes import Notebook
from sympozium_router.desk.reports import Reports
from sympozium_router.desk.waiting import Waiting
from sympozium_router.inbox.admission import Admission
from sympozium_router.inbox.amendments import Amendments
from sympozium_router.inbox.delays import Delays
from sympozium_router.inbox.earlier import EarlierLine
from sympozium_router.inbox.intake import Intake
from sympozium_router.inbox.lines import Lines
from sympozium_router.inbox.reception import Departments, Reception
from sympozium_router.outbox.outbox import Outbox
from sympozium_router.outbox.replies import Replies
from sympozium_router.restoring import Restoring
from sympozium_router.runs.careful import CarefulRuns
from sympozium_router.runs.context import Contexts
from sympozium_router.runs.orphans import Orphans
from sympozium_router.runs.runs import Runs
from sympozium_router.upkeep import ExpiredCodes, Pruning
from sympozium_router.world.cluster import Cluster

log = logging.getLogger(__name__)

DRAIN_S = 4.0
"""What is not finished by then is found again by the next router."""


class Router:
    """A router over an open bus, API server and store."""

    def __init__(
        self, bus: NatsBus, kube: Kube, store: SessionStore, *, clock: Clock = utc_now
    ) -> None:
        self._bus = bus
        self._store = store
        self._clock = clock
        self._cluster = Cluster(kube)
        runs = Runs(bus, store, self._cluster, clock)
        aside = Aside(bus, store, self._cluster, clock)
        suspects = Suspects(StoreMarks(store, clock))
        careful = CarefulRuns(runs, suspects, aside)
        self._outbox = Outbox(bus, store, self._cluster, careful, clock)
        departments = Departments(
            Admission(store, self._cluster, clock),
            Commands(store, self._cluster, clock),
            Amendments(store, runs, self._outbox.look_at),
            runs,
            Retries(store),
            aside,
            self._outbox.publish_end,
        )
        reception = Reception(bus, store, self._cluster, departments, clock)
        reading = Lines(bus, store, self._cluster)
        self._intake = Intake(reading, reception, suspects, self._outbox.look_at)
        self._earlier = EarlierLine(bus, lambda: reading.is_receiving)
        self._restoring = Restoring(bus, store, self._cluster, reception.give)
        self._orphans = Orphans(store, self._cluster)
        self._toll = DeathToll(bus, self._cluster, clock)
        self._dead = DeadLetters(bus, reception, self._toll, self._outbox.look_at, clock)
        self._contexts = Contexts(bus, store, self._cluster, Replies(bus), clock)
        self._history = History(bus, store)
        self._notebook = Notebook(bus, store, clock)
        self._reports = Reports(bus, self._cluster, clock)
        self._waiting = Waiting(bus, bus, store)
        self._fetches = Fetches(bus, store, self._cluster)

    async def run(
        self, stop: asyncio.Event, health: Health, *, keep: timedelta, drain_s: float = DRAIN_S
    ) -> None:
        """Route until *stop* is set, then finish what is begun within *drain_s* seconds.

        Raises:
            TimeoutError: What was begun was not finished by then.
            ExceptionGroup: A part cannot go on: a role is missing, the bus is gone for good.
        """
        health.watch(self._missing, self._store_missing)
        for part in (self._intake, self._outbox):
            self._store.listen_to_return(part.hurry)
        lag = Lag(self._bus, INBOX, "router", lines(self._bus))
        clock = ClockWatch(self._bus, of_stream(OUTBOX))
        counted = exposition(*measures.METRICS, *kube_measures.METRICS, *store_measures.METRICS)
        health.export(self._toll.as_text, lag.as_text, clock.as_text, depths_as_text, counted)
        async with (
            self._history.responding(),
            self._notebook.responding(),
            self._reports.responding(),
            self._waiting.responding(),
        ):
            await run_until_stopped(
                self._bus.stay_connected,
                clock.run,
                lag.run,
                self._cluster.follow,
                self._route,
                Pruning(self._bus, self._store, keep, self._clock).run,
                stop=stop,
                drain_s=drain_s,
            )

    async def _route(self, stop: asyncio.Event) -> None:
        """Route once the copies of the cluster's objects are complete."""
        if not await self._synced_before(stop):
            return
        await self._restoring.reopen_ends()
        log.info("router started", extra={"action": "start"})
        async with (
            self._contexts.responding(),
            self._fetches.responding(),
            self._dead.responding(),
            asyncio.TaskGroup() as group,
        ):
            group.create_task(self._intake.run(stop))
            earlier = group.create_task(self._earlier.follow())
            group.create_task(self._restoring.adopt_runs())
            group.create_task(Delays(self._bus, self._cluster, self._intake.held).run(stop))
            group.create_task(self._outbox.run(stop))
            group.create_task(self._toll.run(stop))
            group.create_task(self._orphans.run(stop))
            group.create_task(ExpiredCodes(self._cluster, self._clock).run(stop))
            await stop.wait()
            earlier.cancel()

    async def _synced_before(self, stop: asyncio.Event) -> bool:
        async with asyncio.TaskGroup() as group:
            synced = group.create_task(self._cluster.wait_until_synced())
            stopped = group.create_task(stop.wait())
            await asyncio.wait({synced, stopped}, return_when=asyncio.FIRST_COMPLETED)
            synced.cancel()
            stopped.cancel()
        return not stop.is_set()

    async def _missing(self) -> str:
        if not self._bus.is_connected:
            return "the bus is away"
        if not self._cluster.is_synced:
            return "the objects of the cluster are not read yet"
        return "" if self._intake.is_receiving else "messages are not received yet"

    async def _store_missing(self) -> str:
        try:
            await self._store.check()
        except StoreUnavailableError as error:
            return str(error)
        return ""
