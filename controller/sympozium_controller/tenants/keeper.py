"""Giving the programs their rights where the label is, and clearing up where it went."""

import asyncio
import logging
from dataclasses import dataclass

from sympozium.bus.lines import ensure_line
from sympozium.bus.nats import NatsBus
from sympozium.contract.errors import TransientError
from sympozium.contract.resources import ROLE_BINDINGS
from sympozium.kube.client import Kube
from sympozium.kube.errors import ForbiddenError, UnavailableError
from sympozium.kube.measures import QueueName
from sympozium.kube.queue import WorkQueue
from sympozium.kube.tenants import Tenants
from sympozium.runtime.loops import until_there
from sympozium_controller.furniture import FIELD_MANAGER, Furniture, rights
from sympozium_controller.tenants.clearing import Clearing
from sympozium_controller.tenants.defaults import Defaulting
from sympozium_controller.tenants.ledger import Ledger

MAX_BACKOFF_S = 10.0
RETRY_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SettingUp:
    """What is made for a tenant, beside the rights in its namespace."""

    bus: NatsBus
    furniture: Furniture
    defaulting: Defaulting


class TenantKeeper:
    """Makes every namespace be served, or not, as its label says."""

    def __init__(
        self,
        kube: Kube,
        tenants: Tenants,
        ledger: Ledger,
        setting_up: SettingUp,
        clearing: Clearing,
    ) -> None:
        self._kube = kube
        self._tenants = tenants
        self._ledger = ledger
        self._bus = setting_up.bus
        self._furniture, self._defaulting = setting_up.furniture, setting_up.defaulting
        self._clearing = clearing
        self._queue: WorkQueue[str] = WorkQueue(QueueName.TENANTS, max_backoff_s=MAX_BACKOFF_S)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve the namespaces that come, and leave those that go, until *stop* is set."""
        for namespace in await until_there(self._ledger.read, retry_s=RETRY_S, told=_waits):
            self._queue.add(namespace)
        with self._tenants.listened_to():
            self._tenants.listen(self._queue.add)
            await self._queue.work(self.reconcile, stop)

    async def reconcile(self, namespace: str) -> None:
        """Do what the label of *namespace* asks for now.

        Raises:
            TransientError: Try again.
        """
        if self._tenants.is_ending(namespace):
            return  # it takes everything along, and we are told when it is gone
        if await self._tenants.is_tenant(namespace):
            await self._serve(namespace)
        else:
            async with self._furniture.closed(namespace):
                await self._clearing.clear(namespace)
            await self._ledger.remove(namespace)

    async def _serve(self, namespace: str) -> None:
        await ensure_line(self._bus.client, namespace)
        await self._ledger.add(namespace)
        for binding in rights(namespace, self._ledger.system_namespace):
            await self._kube.apply(ROLE_BINDINGS, binding, manager=FIELD_MANAGER)
        try:
            await self._defaulting.apply(namespace)
        except ForbiddenError as error:  # the API server has not heard of the binding yet
            raise UnavailableError(str(error)) from error


def _waits(error: TransientError) -> None:
    cause = {"action": "retry", "cause": str(error)}
    log.warning("tenants of before are not known yet", extra=cause)
