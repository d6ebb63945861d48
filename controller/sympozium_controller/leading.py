"""What only the controller that holds the lease does; who waits has the same copies ready.

Everything is begun anew with each lease: a controller that led before and was
followed by another must not go on with what it remembers of then.
"""

import asyncio
import contextlib
from dataclasses import dataclass

from sympozium.bus.nats import NatsBus
from sympozium.bus.room import Room
from sympozium.kube.client import Kube
from sympozium.kube.tenants import TenantInformer, Tenants
from sympozium.runtime.loops import run_until_stopped
from sympozium_controller.agents import AgentCopies, AgentReconciler
from sympozium_controller.channels.draining import Around, Draining
from sympozium_controller.channels.reconcile import ChannelCache, ChannelReconciler, Furnishing
from sympozium_controller.furniture import Furniture
from sympozium_controller.runs.addresses import AddressBook
from sympozium_controller.runs.observe import RunCache
from sympozium_controller.runs.reconcile import RunReconciler, World
from sympozium_controller.runs.results import Results
from sympozium_controller.runs.retention import Retention
from sympozium_controller.runs.waiters import Waiters
from sympozium_controller.settings import Settings
from sympozium_controller.tenants.clearing import Clearing
from sympozium_controller.tenants.defaults import Defaulting
from sympozium_controller.tenants.keeper import SettingUp, TenantKeeper
from sympozium_controller.tenants.ledger import Ledger
from sympozium_controller.tenants.sweep import LineSweep

LEASE = "sympozium-controller"

DRAIN_S = 2.0
"""What is not done then is done by the next."""


@dataclass(frozen=True)
class Caches:
    """Copies of everything that reconcilers read, kept up by every controller."""

    tenants: Tenants
    runs: RunCache
    channels: ChannelCache

    @property
    def informers(self) -> tuple[TenantInformer, ...]:
        """All of them, for whoever listens to them."""
        return *self.runs.informers, *self.channels.informers


class Leader:
    """The reconcilers. Its client must refuse to write while the lease is not held."""

    def __init__(self, kube: Kube, bus: NatsBus, caches: Caches, settings: Settings) -> None:
        self._kube = kube
        self._bus = bus
        self._caches = caches
        self._settings = settings
        self._furniture = Furniture(kube, settings.pods)
        self._ledger = Ledger(kube, settings.system_namespace)
        self._addresses = None if settings.run_dns else AddressBook(settings.system_namespace)
        self._waiters = Waiters(bus.client)
        self._retention = Retention(kube, self._waiters, caches.runs, settings.history)

    async def lead(self, stop: asyncio.Event) -> None:
        """Reconcile everything that is there, and what changes, until *stop* is set.

        The copies must be complete.
        """
        kube, bus, pods = self._kube, self._bus, self._settings.pods
        runs, channels = self._caches.runs, self._caches.channels
        with contextlib.ExitStack() as listeners:
            for informer in self._caches.informers:
                listeners.enter_context(informer.listened_to())
            limits = self._settings.limits
            world = World(kube, bus, runs, pods, self._furniture, limits, self._addresses)
            run_reconciler = RunReconciler(world)
            clearing = Clearing(kube, bus)
            defaulting = Defaulting(kube, self._settings.tenants)
            setting_up = SettingUp(bus, self._furniture, defaulting)
            tenants = self._caches.tenants
            agent_copies = AgentCopies(runs.agents, channels.channels, runs.runs)
            around = Around(channels.deployments, runs.runs, self._waiters)
            channel_reconciler = ChannelReconciler(
                kube,
                bus,
                channels,
                Furnishing(self._furniture, pods),
                Draining(kube, bus, around),
            )
            keeper = TenantKeeper(kube, tenants, self._ledger, setting_up, clearing)
            await run_until_stopped(
                keeper.run,
                run_reconciler.run,
                Results(bus, runs, run_reconciler, kube.now).run,
                channel_reconciler.run,
                AgentReconciler(kube, agent_copies, self._furniture).run,
                self._retention.run,
                LineSweep(bus, tenants).run,
                Room(bus.client).run,
                stop=stop,
                drain_s=DRAIN_S,
            )
