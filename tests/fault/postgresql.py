"""A running system whose router keeps its sessions at a PostgreSQL server of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from sympozium.contract.resources import Object
from sympozium.kube.client import Kube
from sympozium.testing.postgresql import PostgresqlServer
from tests.fault.arming import ROUTER, roll_out, set_env

STORE_URL = "SYMPOZIUM_STORE_URL"


@asynccontextmanager
async def on_postgresql(kube: Kube, programs: Path) -> AsyncIterator[PostgresqlServer]:
    """Have the router use a new server while the block lasts, and afterwards what it had before."""
    server = PostgresqlServer(programs)
    try:
        server.initialize()
        await server.start()
        await roll_out(kube, ROUTER, partial(_use, {STORE_URL: server.url()}))
        try:
            yield server
        finally:
            await roll_out(kube, ROUTER, partial(_use, {}))
    finally:
        server.remove()


def _use(variables: dict[str, str], pod: Object) -> None:
    set_env(pod, variables, dropped=(STORE_URL,))
