"""The controller's deleting of finished runs, by itself, at a time that the test sets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from sympozium.contract.resources import AGENT_RUNS
from sympozium.kube.tenants import Tenants
from sympozium_controller.runs.history import HistoryLimits
from sympozium_controller.runs.observe import RunCache
from sympozium_controller.runs.retention import Retention
from sympozium_controller.runs.waiters import Waiters
from tests.router.routed import NAMESPACE, World

HELPER = (NAMESPACE, "helper")


@asynccontextmanager
async def retention(
    world: World, *, later: timedelta = timedelta(0), limits: HistoryLimits | None = None
) -> AsyncIterator[Retention]:
    """Yield what deletes, with complete copies. The test calls `prune`, or runs it."""
    tenants = Tenants(world.kube)
    cache = RunCache(tenants)
    made = Retention(
        world.kube,
        Waiters(world.bus.client),
        cache,
        limits or HistoryLimits(),
        now=lambda: world.kube.now() + later,
    )
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(tenants.run(stop))
        await tenants.synced.wait()
        yield made
        stop.set()


async def names(world: World) -> set[str]:
    """Return the names of the runs that are there."""
    return {run["metadata"]["name"] for run in (await world.kube.list(AGENT_RUNS)).items}
