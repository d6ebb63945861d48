"""The controller put together: its caches, its loops, and the order in which they start."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from sympozium.bus.admin import ensure_bus
from sympozium.bus.clock import ClockWatch
from sympozium.bus.nats import Address, NatsBus, connect
from sympozium.contract.subjects import RUNS_CONSUMER, reply_prefix
from sympozium.kube.client import Kube
from sympozium.kube.informer import Informer
from sympozium.runtime.loops import Loop, run_until_stopped
from sympozium_controller.agents import AgentReconciler
from sympozium_controller.channels.reconcile import ChannelCache, ChannelReconciler
from sympozium_controller.furniture import Furniture
from sympozium_controller.health import serve_health
from sympozium_controller.identity.callout import Callout
from sympozium_controller.identity.directory import Copies, Directory
from sympozium_controller.identity.jwt import Signer
from sympozium_controller.identity.reviews import Reviews
from sympozium_controller.runs.observe import RunCache
from sympozium_controller.runs.reconcile import RunReconciler, World
from sympozium_controller.runs.results import Results
from sympozium_controller.runs.retention import Retention
from sympozium_controller.runs.waiters import Waiters
from sympozium_controller.settings import Settings

log = logging.getLogger(__name__)

DRAIN_S = 2.5
"""Less than the grace that a kubelet gives us; what is not done then is done by the next."""

RECONNECT_WAIT_S = 0.02
"""Shorter than anyone else's: a bus that came back keeps all waiting whom we do not admit."""


class Readiness:
    """Whether the controller can do its work now."""

    def __init__(self, bus: NatsBus, informers: tuple[Informer, ...]) -> None:
        self._bus = bus
        self._informers = informers

    def __call__(self) -> bool:
        """Return whether the bus is connected and every copy is complete."""
        return self._bus.is_connected and all(one.synced.is_set() for one in self._informers)

    async def synced(self) -> None:
        """Return when every copy is complete."""
        for informer in self._informers:
            await informer.synced.wait()


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
            await serve_health(stop, port=settings.health_port, is_ready=ready)

        log.info("controller started", extra={"action": "start"})
        loops += [health, bus.stay_connected, ClockWatch(bus, RUNS_CONSUMER).run]
        await run_until_stopped(*loops, stop=stop, drain_s=DRAIN_S)


def _assemble(kube: Kube, bus: NatsBus, settings: Settings) -> tuple[list[Loop], Readiness]:
    """Return the controller's loops, in no order, and what says whether they can work."""
    runs, channels = RunCache(kube), ChannelCache(kube)
    furniture = Furniture(kube, settings.pods)
    world = World(kube, bus, runs, settings.pods, furniture.ensure)
    run_reconciler = RunReconciler(world)
    channel_reconciler = ChannelReconciler(kube, bus, channels, furniture, settings.pods)
    agent_reconciler = AgentReconciler(kube, runs.agents, channels.channels, furniture)
    informers = (*runs.informers, *channels.informers)
    ready = Readiness(bus, informers)
    workers = (
        run_reconciler.run,
        Results(bus, runs, run_reconciler).run,
        Retention(kube, Waiters(bus.client), runs, settings.history).run,
        channel_reconciler.run,
        agent_reconciler.run,
    )
    loops: list[Loop] = [informer.run for informer in informers]
    if settings.bus.issuer_seed:
        copies = Copies(runs.runs, runs.jobs, runs.pods, channels.channels)
        directory = Directory(kube, copies, settings.system_namespace)
        signer = Signer(settings.bus.issuer_seed)
        loops.append(Callout(bus.client, signer, Reviews(kube), directory).run)
    loops += [_after(ready.synced, worker) for worker in workers]
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
