"""What tenants cost while nothing happens: `python -m tests.bench.tenants [COUNT...]`.

For each number of tenants a controller is started as a process of its own, with the rights of the
chart, beside an embedded API server; printed are its memory once all tenants are served, how long
that took, and what it asked the API server in an idle minute beside its watches.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sympozium.contract.resources import AGENTS, CONFIG_MAPS
from sympozium.kube.client import Kube
from sympozium.kube.endpoint import Endpoint
from sympozium.kube.errors import NotFoundError
from sympozium_controller.tenants.ledger import LEDGER
from tests.controller.cluster import SYSTEM_NAMESPACE, Cluster, installed
from tests.fixtures.nats_server import NatsServer, free_port
from tests.fixtures.tenants import make_tenant
from tests.tenants.namespaces import agent

IDLE_S = 60.0
COUNTS = (1, 100)


def rss_mb(pid: int) -> float:
    """Return the memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def all_served(kube: Kube, count: int) -> None:
    """Return when each of *count* tenants has what an Agent needs."""
    while True:
        try:
            ledger = await kube.get(CONFIG_MAPS, SYSTEM_NAMESPACE, LEDGER)
            agents = (await kube.list(AGENTS)).items
            if len(ledger.get("data") or {}) >= count and all("status" in one for one in agents):
                return
        except NotFoundError:
            pass
        await asyncio.sleep(0.2)


@asynccontextmanager
async def furnished(folder: Path, count: int) -> AsyncIterator[tuple[Cluster, Endpoint]]:
    """Yield a cluster with *count* tenants that have an Agent each, and a controller's way in."""
    async with installed(folder) as cluster:
        names = ["default", *(f"tenant-{number}" for number in range(1, count))]
        for name in names:
            await make_tenant(cluster.kube, name)
            await cluster.kube.create(AGENTS, agent(name))
        token = await cluster.token("sympozium-controller", namespace=SYSTEM_NAMESPACE)
        yield cluster, cluster.endpoint_of(token)


async def measure(count: int, idle_s: float) -> None:
    """Print one line for *count* tenants."""
    with tempfile.TemporaryDirectory() as name:
        nats = NatsServer(Path(name))
        await nats.start()
        async with furnished(Path(name), count) as (cluster, endpoint):
            arguments = (endpoint.url, str(endpoint.ca_file), str(endpoint.token_file), nats.url)
            begun = time.monotonic()
            process = await asyncio.create_subprocess_exec(
                *(
                    sys.executable,
                    "-m",
                    "tests.bench.tenants_controller",
                    *arguments,
                    str(free_port()),
                    str(idle_s),
                ),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                await all_served(cluster.kube, count)
                took_s = time.monotonic() - begun
                await asyncio.sleep(2)
                process.stdin.write(b"\n")
                await process.stdin.drain()
                asked = (await process.stdout.readline()).decode().strip()
                memory = rss_mb(process.pid)
                print(
                    f"{count:4} tenants: {memory:5.1f} MB, all served after {took_s:4.1f} s, "
                    f"asked in {idle_s:.0f} idle seconds: {asked}",
                    flush=True,
                )
            finally:
                process.terminate()
                await process.wait()
                nats.kill()


async def main() -> None:
    """Measure each number of tenants that is given."""
    for count in [int(text) for text in sys.argv[1:]] or COUNTS:
        await measure(count, float(os.environ.get("IDLE_S", IDLE_S)))


if __name__ == "__main__":
    asyncio.run(main())
