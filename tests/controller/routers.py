"""A router beside the controller of a test: it says who waits, and takes and answers messages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from sympozium.bus.nats import NatsBus
from sympozium.runtime.health import Health
from sympozium.store.sql import open_store
from sympozium_router.program import Router
from tests.controller.cluster import Cluster
from tests.tenants.namespaces import until

READY_WITHIN_S = 60.0


@asynccontextmanager
async def a_router(cluster: Cluster, bus: NatsBus, folder: Path) -> AsyncIterator[None]:
    """Run a router until the block is left, ready at its beginning."""
    stop, health = asyncio.Event(), Health()

    async def is_ready() -> bool:
        return not await health.missing()

    async with open_store(f"sqlite:///{folder}/sessions.db") as store, asyncio.TaskGroup() as group:
        router = Router(bus, cluster.kube, store)
        group.create_task(router.run(stop, health, keep=timedelta(days=90)))
        await until(is_ready, within_s=READY_WITHIN_S)
        try:
            yield
        finally:
            stop.set()
