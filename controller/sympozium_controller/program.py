"""The controller put together: its caches, its loops, and the order in which they start."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sympozium.bus.admin import ensure_bus
from sympozium.bus.clock import ClockWatch, of_consumer
from sympozium.bus.lag import Lag, only
from sympozium.bus.nats import Address, NatsBus, connect
from sympozium.contract.subjects import RUNS, RUNS_CONSUMER, reply_prefix
from sympozium.kube import measures as kube_measures
from sympozium.kube.client import Kube
from sympozium.kube.lease import Election
from sympozium.kube.queue import depths_as_text
from sympozium.kube.tenants import Tenants
from sympozium.runtime.health import Health
from sympozium.runtime.loops import Loop, run_until_stopped
from sympozium.runtime.metrics import exposition
from sympozium_controller import measures
from sympozium_controller.admission.server import Judged, Webhook
from sympozium_controller.channels.reconcile import ChannelCache
from sympozium_controller.identity.callout import Callout
from sympozium_controller.identity.closing import Closing
from sympozium_controller.identity.directory import Copies, Directory
from sympozium_controller.identity.jwt import Signer
from sympozium_controller.identity.reviews import Reviews
from sympozium_controller.leading import LEASE, Caches, Leader
from sympozium_controller.measures import LEADING, RunCounts
from sympozium_controller.runs.observe import RunCache
from sympozium_controller.settings import Settings

log = logging.getLogger(__name__)

DRAIN_S = 2.5
"""Less than the grace that a kubelet gives us; what is not done then is done by the next."""

RECONNECT_WAIT_S = 0.02
"""Shorter than anyone else's: a bus that came back keeps all waiting whom we do not admit."""

_COUNTED = exposition(*measures.METRICS, *kube_measures.METRICS)


class Readiness:
    """What the controller misses before it can do its work."""

    def __init__(self, bus: NatsBus, tenants: Tenants, webhook: Webhook | None) -> None:
        self._bus = bus
        self._tenants = tenants
        self._webhook = webhook

    async def missing(self) -> str:
        """Return what is missing, for an operator; empty when nothing is."""
        if not self._bus.is_connected:
            return "the bus is away"
        if not self._tenants.synced.is_set():
            return "the objects of the cluster are not read yet"
        is_served = self._webhook is None or self._webhook.is_served
        return "" if is_served else "the webhook has no certificate yet"

    async def synced(self) -> None:
        """Return when every copy is complete."""
        await self._tenants.synced.wait()


async def run_controller(kube: Kube, settings: Settings, stop: asyncio.Event) -> None:
    """Run the controller until *stop* is set.

    Raises:
        BusUnavailableError: The bus did not accept us within a minute, or closed for good.
        PermanentError: The API server refuses us something that we need.
    """
    bus_settings = settings.bus
    address = Address(
        bus_settings.url,
        "controller",
        reply_prefix("controller"),
        user=bus_settings.user,
        password=bus_settings.password,
        reconnect_wait_s=RECONNECT_WAIT_S,
    )
    health = Health()
    async with (
        health.served(settings.health_port, settings.health_host),
        connect(address) as bus,
    ):
        await ensure_bus(bus.client, replicas=bus_settings.replicas)
        parts = _assemble(kube, bus, settings)
        health.watch(parts.readiness.missing)
        clock = ClockWatch(bus, of_consumer(RUNS_CONSUMER))
        lag = Lag(bus, RUNS, RUNS_CONSUMER.name, only(RUNS_CONSUMER))
        health.export(parts.counts.as_text, lag.as_text, clock.as_text, depths_as_text, _COUNTED)
        log.info("controller started", extra={"action": "start"})
        loops = [*parts.loops, bus.stay_connected, clock.run, lag.run]
        await run_until_stopped(*loops, stop=stop, drain_s=DRAIN_S)


@dataclass(frozen=True)
class _Parts:
    """The controller's loops, in no order, and what says how they are."""

    loops: Sequence[Loop]
    readiness: Readiness
    counts: RunCounts


def _assemble(kube: Kube, bus: NatsBus, settings: Settings) -> _Parts:
    """Return the parts of a controller.

    Whoever comes to the bus is admitted by every controller, so that a hand-over keeps
    nobody waiting; the rest is done by the one that holds the lease.
    """
    tenants = Tenants(kube)
    caches = Caches(tenants, RunCache(tenants), ChannelCache(tenants))
    webhook = None
    if settings.webhook_port:
        judged_by = Judged(caches.runs.agents, caches.channels.channels)
        webhook = Webhook(kube, judged_by, settings)
    ready = Readiness(bus, tenants, webhook)
    place = settings.pod_name or f"controller-{secrets.token_hex(4)}"
    election = Election(kube, (settings.system_namespace, LEASE), place)
    leader = Leader(kube.fenced(election.check), bus, caches, settings)
    loops: list[Loop] = [tenants.run]
    if webhook is not None:
        loops.append(webhook.run)
    if settings.bus.issuer_seed:
        runs, channels = caches.runs, caches.channels
        copies = Copies(
            tenants, runs.runs, runs.jobs, runs.pods, channels.channels, channels.deployments
        )
        directory = Directory(kube, copies, settings.system_namespace)
        signer = Signer(settings.bus.issuer_seed)
        loops.append(Callout(bus.client, signer, Reviews(kube), directory).run)
        closing = Closing(bus.client, directory, servers=settings.bus.replicas)
        closing.heed(runs.runs, runs.pods)
        loops.append(_after(ready.synced, closing.run))
    loops.append(_after(ready.synced, partial(election.run, leader.lead)))
    LEADING.follow(lambda: election.is_leading)
    return _Parts(loops, ready, RunCounts(caches.runs.runs))


def _after(synced: Callable[[], Coroutine[Any, Any, None]], loop: Loop) -> Loop:
    """Return *loop* beginning no sooner than *synced* returns, and ending as early as told."""

    async def begin_later(stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            waiting = {group.create_task(synced()), group.create_task(_set(stop))}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
        if not stop.is_set():
            await loop(stop)

    return begin_later


async def _set(event: asyncio.Event) -> None:
    await event.wait()
