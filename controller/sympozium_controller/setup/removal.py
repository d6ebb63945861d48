"""Taking away what the controller made, before the release that made the controller goes.

helm knows what it installed, and not what grew from it: the pods, rights and limits in the
namespaces of tenants. While the rights to remove them are still there, and the router to tell
people what became of their messages, this ends it all. Agents, Channels and AgentRuns of people
stay, as the kinds do.

| variable | meaning |
|---|---|
| `SYMPOZIUM_NATS_URL`, `_USER`, `_PASSWORD` | the bus, as the controller reaches it |
| `SYMPOZIUM_EXAMPLE_FILE` | JSON list of the objects of the chart's example; unset: there is none |
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sympozium.bus.nats import Address, NatsBus
from sympozium.bus.nats import connect as connect_bus
from sympozium.bus.ports import BusUnavailableError
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.resources import (
    COMPONENT_LABEL,
    CONFIG_MAPS,
    DEPLOYMENTS,
    LEASES,
    NAMESPACES,
    PODS,
    TENANT_LABEL,
    Object,
)
from sympozium.contract.subjects import reply_prefix
from sympozium.kube.client import Kube, connect
from sympozium.kube.endpoint import in_cluster
from sympozium.kube.errors import NotFoundError
from sympozium.kube.tenants import TENANT
from sympozium.runtime.loops import until_there
from sympozium.runtime.settings import Reader
from sympozium_controller.leading import LEASE
from sympozium_controller.setup.example import KINDS
from sympozium_controller.tenants.clearing import Clearing
from sympozium_controller.tenants.ledger import LEDGER, Ledger

log = logging.getLogger(__name__)

CONTROLLER = "sympozium-controller"
PATIENCE_S = 240.0
BUS_PATIENCE_S = 15.0
RETRY_S = 1.0
LOOK_EVERY_S = 0.2


async def remove() -> None:
    """Stop the controller and clear every namespace in which something of ours is.

    Raises:
        PermanentError: It was not done within four minutes; another attempt goes on from there.
    """
    reader = Reader()
    system = reader.text("SYMPOZIUM_SYSTEM_NAMESPACE")
    address = Address(
        reader.text("SYMPOZIUM_NATS_URL"),
        "removal",
        reply_prefix("controller"),
        user=reader.text("SYMPOZIUM_NATS_USER", ""),
        password=reader.text("SYMPOZIUM_NATS_PASSWORD", ""),
    )
    file = reader.text("SYMPOZIUM_EXAMPLE_FILE", "")
    reader.finish()
    removal = Removal(system, _example_in(file))
    try:
        async with (
            asyncio.timeout(PATIENCE_S),
            connect(in_cluster()) as kube,
            _bus_if_there(address) as bus,
        ):
            await removal.patiently(kube, bus)
    except TimeoutError:
        raise PermanentError(
            f"cannot remove all within {PATIENCE_S:.0f} s: {removal.state}; uninstall again, or "
            "with --no-hooks, which leaves what is there"
        ) from None


class Removal:
    """Everything that has to go, in its order. Doing any of it again is no harm."""

    def __init__(self, system_namespace: str, example: list[Object]) -> None:
        self._system = system_namespace
        self._example = example
        self.state = "nothing was done"
        """What hindered it last."""

    async def patiently(self, kube: Kube, bus: NatsBus | None) -> None:
        """Remove all of it, as often as it takes."""
        await until_there(
            lambda: self._remove(kube, bus), retry_s=RETRY_S, told=self._note_what_hinders
        )
        log.info("removed", extra={"action": "delete"})

    def _note_what_hinders(self, error: TransientError) -> None:
        self.state = str(error)
        log.info("not removed yet", extra={"action": "retry", "cause": self.state})

    async def _remove(self, kube: Kube, bus: NatsBus | None) -> None:
        await self._stop_controller(kube)
        ledger = Ledger(kube, self._system)
        for namespace in sorted(await ledger.read() | await _tenants(kube)):
            await Clearing(kube, bus).clear(namespace)
            await ledger.remove(namespace)
        for obj in self._example:
            kind, metadata = KINDS[obj["kind"]], obj["metadata"]
            with contextlib.suppress(NotFoundError):
                await kube.delete(kind, metadata["namespace"], metadata["name"])
        for resource, name in ((CONFIG_MAPS, LEDGER), (LEASES, LEASE)):
            with contextlib.suppress(NotFoundError):
                await kube.delete(resource, self._system, name)

    async def _stop_controller(self, kube: Kube) -> None:
        """Have no controller make again what is taken away."""
        with contextlib.suppress(NotFoundError):
            await kube.patch(DEPLOYMENTS, self._system, CONTROLLER, {"spec": {"replicas": 0}})
        selector = f"{COMPONENT_LABEL}=controller"
        while (await kube.list(PODS, self._system, labelSelector=selector)).items:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY_S)


def _example_in(file: str) -> list[Object]:
    if not file or not Path(file).exists():
        return []
    objects: list[Object] = json.loads(Path(file).read_text())
    return objects


async def _tenants(kube: Kube) -> set[str]:
    found = await kube.list(NAMESPACES, labelSelector=f"{TENANT_LABEL}={TENANT}")
    return {namespace["metadata"]["name"] for namespace in found.items}


@asynccontextmanager
async def _bus_if_there(address: Address) -> AsyncIterator[NatsBus | None]:
    """Yield a connection to the bus; None where there is none: it goes with the release anyway."""
    async with contextlib.AsyncExitStack() as stack:
        bus: NatsBus | None = None
        try:
            connecting = connect_bus(address, patience_s=BUS_PATIENCE_S)
            bus = await stack.enter_async_context(connecting)
        except BusUnavailableError as error:
            log.warning("bus not reached", extra={"action": "skip", "cause": str(error)})
        yield bus
