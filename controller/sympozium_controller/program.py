"""The controller put together: its caches, its loops, and the order in which they start."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from sympozium.bus.admin import ensure_bus
from sympozium.bus.clock import ClockWatch
from sympozium.bus.nats import Address, NatsBus, connect
from sympozium.contract.subjects import RUNS_CONSUMER, reply_prefix
from sympozium.kube.client import Kube
from sympozium.kube.lease import Election
from sympozium.kube.tenants import Tenants
from sympozium.runtime.loops import Loop, run_until_stopped
from sympozium_controller.channels.reconcile import ChannelCache
from sympozium_controller.health import serve_health
from sympozium_controller.identity.callout import Callout
from sympozium_controller.identity.directory import Copies, Directory
from sympozium_controller.identity.jwt import Signer
from sympozium_controller.identity.reviews import Reviews
from sympozium_controller.leading import LEASE, Caches, Leader
from sympozium_controller.runs.observe import RunCache
from sympozium_controller.settings import Settings

log = logging.getLogger(__name__)

DRAIN_S = 2.5
"""Less than the grace that a kubelet gives us; what is not done then is done by the next."""

RECONNECT_WAIT_S = 0.02
"""Shorter than anyone else's: a bus that came back keeps all waiting whom we do not admit."""


class Readiness:
    """Whether the controller can do its work now."""

    def __init__(self, bus: NatsBus, tenants: Tenants) -> None:
        self._bus = bus
        self._tenants = tenants

    def __call__(self) -> bool:
        """Return whether the bus is connected and every copy is complete."""
        return self._bus.is_connected and self._tenants.synced.is_set()

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
    async with connect(address) as bus:
        await ensure_bus(bus.client, replicas=bus_settings.replicas)
        loops, ready = _assemble(kube, bus, settings)

        async def health(stop: asyncio.Event) -> None:
            port, host = settings.health_port, settings.health_host
            await serve_health(stop, port=port, host=host, is_ready=ready)

        log.info("controller started", extra={"action": "start"})
        loops += [health, bus.stay_connected, ClockWatch(bus, RUNS_CONSUMER).run]
        await run_until_stopped(*loops, stop=stop, drain_s=DRAIN_S)


def _assemble(kube: Kube, bus: NatsBus, settings: Settings) -> tuple[list[Loop], Readiness]:
    """Return the controller's loops, in no order, and what says whether they can work.

    Whoever comes to the bus is admitted by every controller, so that a hand-over keeps
    nobody waiting; the rest is done by the one that holds the lease.
    """
    tenants = Tenants(kube)
    caches = Caches(tenants, RunCache(tenants), ChannelCache(tenants))
    ready = Readiness(bus, tenants)
    place = settings.pod_name or f"controller-{secrets.token_hex(4)}"
    election = Election(kube, (settings.system_namespace, LEASE), place)
    leader = Leader(kube.fenced(election.check), bus, caches, settings)
    loops: list[Loop] = [tenants.run]
    if settings.bus.issuer_seed:
        runs, channels = caches.runs, caches.channels
        copies = Copies(tenants, runs.runs, runs.jobs, runs.pods, channels.channels)
        directory = Directory(kube, copies, settings.system_namespace)
        signer = Signer(settings.bus.issuer_seed)
        loops.append(Callout(bus.client, signer, Reviews(kube), directory).run)
    loops.append(_after(ready.synced, partial(election.run, leader.lead)))
    return loops, ready


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
