"""Detours for connections whose ends are told by nobody: of the node, and of the API server.

The node finds the API server in files that the API server writes, and the API server finds
the webhook behind a Service. Both lead through a proxy here, also after either has been
started again.
"""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sympozium.contract.errors import TransientError
from sympozium.contract.resources import ENDPOINTS, SERVICES, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import NotFoundError
from sympozium_controller.admission.keeping import WEBHOOK
from sympozium_local.system.home import Home, read_json, write_private
from tests.fault.arming import SYSTEM
from tests.fault.pids import Pids
from tests.fixtures.tcp_proxy import Dial

USERS = ("kubelet", "controller-manager")
"""As whom the node works. What it applies at its start, it does as the administrator."""

BEHIND = f"{WEBHOOK}-behind"
"""The Service of the controllers themselves, while that of the webhook leads to a proxy."""

POLL_S = 0.05
READY_TIMEOUT_S = 60.0


@asynccontextmanager
async def node_led(home: Home, port: int) -> AsyncIterator[None]:
    """Have the node, whenever it starts, look for the API server at *port* while the block lasts.

    An API server that starts writes its own port. A node that starts in the same
    moment may find that, and goes past the proxy until it starts again.
    """
    own = f"https://127.0.0.1:{read_json(home.ports)['api']}"
    other = f"https://127.0.0.1:{port}"
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(_keep_loop(home, own, other))
        try:
            yield
        finally:
            keeping.cancel()
            _lead(home, other, own)


async def _keep_loop(home: Home, old: str, new: str) -> None:
    while True:
        _lead(home, old, new)
        await asyncio.sleep(POLL_S)


def _lead(home: Home, old: str, new: str) -> None:
    for user in USERS:
        path = home.apiserver / f"{user}.kubeconfig"
        text = path.read_text()
        if f"{old}\n" in text:
            write_private(path, text.replace(f"{old}\n", f"{new}\n"))


async def restart_node(pids: Pids) -> None:
    """Kill the node, and return when the one that follows runs pods."""
    ready = pids.home.node_ready
    ready.unlink(missing_ok=True)
    for pid in await pids.of("node"):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(READY_TIMEOUT_S):
        while not ready.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(POLL_S)


def detour(addons: list[Object]) -> list[Object]:
    """Return the system's objects with a webhook that leads nowhere, and what was behind it."""
    (service,) = (obj for obj in addons if _is_webhook(obj))
    nowhere = {**service, "spec": {"ports": service["spec"]["ports"]}}
    behind = {**service, "metadata": {**service["metadata"], "name": BEHIND}}
    return [*(obj for obj in addons if not _is_webhook(obj)), nowhere, behind]


def _is_webhook(obj: Object) -> bool:
    return (obj["kind"], obj["metadata"]["name"]) == (SERVICES.kind, WEBHOOK)


async def lead_webhook(kube: Kube, port: int) -> None:
    """Have the API server find the webhook at *port*."""
    with suppress(NotFoundError):
        await kube.delete(ENDPOINTS, SYSTEM, WEBHOOK)
    subset = {
        "addresses": [{"ip": "127.0.0.1"}],
        "ports": [{"name": "webhook", "port": port, "protocol": "TCP"}],
    }
    obj: Object = {
        "apiVersion": ENDPOINTS.api_version,
        "kind": ENDPOINTS.kind,
        "metadata": {"name": WEBHOOK, "namespace": SYSTEM},
        "subsets": [subset],
    }
    await kube.create(ENDPOINTS, obj)


def to_a_controller(kube: Kube, *, seed: str) -> Dial:
    """Return what connects to the webhook of any controller that is ready."""
    chance = random.Random(seed)

    async def dial() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            endpoints = await kube.get(ENDPOINTS, SYSTEM, BEHIND)
        except (TransientError, NotFoundError) as error:
            raise ConnectionRefusedError("nobody knows where a controller is") from error
        found = [
            (address["ip"], port["port"])
            for subset in endpoints.get("subsets") or ()
            for address in subset.get("addresses") or ()
            for port in subset.get("ports") or ()
        ]
        if not found:
            raise ConnectionRefusedError("no controller is ready")
        return await asyncio.open_connection(*chance.choice(found))

    return dial
