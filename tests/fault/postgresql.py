"""A running system whose router keeps its sessions at a PostgreSQL server of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from sympozium.contract.resources import Object
from sympozium.kube.client import Kube
from sympozium.testing.postgresql import PostgresqlServer
from tests.fault.arming import ROUTER, roll_out, set_env

STORE_URL = "SYMPOZIUM_STORE_URL"
POLL_S = 0.1


@asynccontextmanager
async def on_postgresql(kube: Kube, programs: Path) -> AsyncIterator[PostgresqlServer]:
    """Have the router use a new server while the block lasts, and afterwards what it had before."""
    async with _started(programs) as server:
        await roll_out(kube, ROUTER, partial(_use, {STORE_URL: server.url()}))
        try:
            yield server
        finally:
            await roll_out(kube, ROUTER, partial(_use, {}))


@asynccontextmanager
async def kept_running(programs: Path) -> AsyncIterator[PostgresqlServer]:
    """Start a new server, and start it again whenever it has died while the block lasts."""
    async with _started(programs) as server, asyncio.TaskGroup() as group:
        keeping = group.create_task(_keep_loop(server))
        try:
            yield server
        finally:
            keeping.cancel()


@asynccontextmanager
async def _started(programs: Path) -> AsyncIterator[PostgresqlServer]:
    server = PostgresqlServer(programs)
    try:
        server.initialize()
        await server.start()
        yield server
    finally:
        server.remove()


async def _keep_loop(server: PostgresqlServer) -> None:
    while True:
        await asyncio.sleep(POLL_S)
        if server.has_died:
            with suppress(RuntimeError):  # what the dead one had started is still there
                await server.start()


def _use(variables: dict[str, str], pod: Object) -> None:
    set_env(pod, variables, dropped=(STORE_URL,))
