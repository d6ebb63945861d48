"""The keys of the bus, and the configuration of a server of it in a pod.

| variable | meaning |
|---|---|
| `SYMPOZIUM_NATS_CONFIG` | file to write the configuration to; unset: only the Secret is filled |
| `SYMPOZIUM_POD_NAME` | name of the server |
| `SYMPOZIUM_NATS_VOLUME` | size of its volume, as Kubernetes writes it: `8Gi` |
| `SYMPOZIUM_NATS_ROUTES` | `host:port` of all servers of the cluster, with commas between |
"""

import os
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

from sympozium.bus.server import (
    PodServer,
    ServerAccess,
    issuer_public_key,
    new_issuer,
    server_config,
)
from sympozium.kube.client import connect
from sympozium.kube.endpoint import in_cluster
from sympozium.runtime.settings import Reader
from sympozium_controller.setup.secrets_made import Keys, fill, new_password
from sympozium_controller.setup.servers import check_number, check_volume, with_number

SECRET = "sympozium-bus"  # noqa: S105 - the name of a Secret
USER = "controller"
PORT = 4222
DATA = Path("/data")

SHARE_OF_VOLUME = 0.9
"""Of a volume for the streams; the rest is the file system's own, and the indexes'."""


async def set_up() -> None:
    """Fill the Secret, and write the configuration where one is asked for."""
    reader = Reader()
    namespace = reader.text("SYMPOZIUM_SYSTEM_NAMESPACE")
    config = reader.text("SYMPOZIUM_NATS_CONFIG", "")
    pod = _pod(reader) if config else None
    reader.finish()
    async with connect(in_cluster()) as kube:
        keys = await fill(kube, namespace, SECRET, partial(make_keys, pod=pod))
    if pod is not None:
        check_number(keys, pod.count)
        check_volume(DATA, pod.count)
        write_private(Path(config), nats_config(keys, pod))


def make_keys(known: Keys, pod: PodServer | None = None) -> Keys:
    """Return all keys of the bus; those that are *known* are kept.

    How many servers there are is among them once one of them, *pod*, prepares itself.
    """
    seed = known.get("issuer-seed") or new_issuer().seed
    numbered = known if pod is None else with_number(known, pod.count)
    return {
        "user": USER,
        "password": new_password(),
        "routes-password": new_password(),
        **numbered,
        "issuer-seed": seed,
        "issuer-public": issuer_public_key(seed),
    }


def nats_config(keys: Keys, pod: PodServer) -> str:
    """Return the configuration of one server."""
    access = ServerAccess(keys["issuer-public"], keys["user"], keys["password"])
    pod = replace(pod, routes_password=keys["routes-password"])
    return server_config(access, port=PORT, data_dir=DATA, host="0.0.0.0", pod=pod)


def _pod(reader: Reader) -> PodServer:
    routes = reader.text("SYMPOZIUM_NATS_ROUTES", "")
    size_bytes = reader.parsed("SYMPOZIUM_NATS_VOLUME", 0, _bytes, "a size such as 8Gi")
    return PodServer(
        name=reader.text("SYMPOZIUM_POD_NAME"),
        max_store_bytes=int(size_bytes * SHARE_OF_VOLUME),
        routes=tuple(route for route in routes.split(",") if route),
    )


def _bytes(text: str) -> int:
    found = re.fullmatch(r"([0-9]+)(Mi|Gi|Ti)", text)
    if found is None:
        raise ValueError(text)
    return int(found[1]) << {"Mi": 20, "Gi": 30, "Ti": 40}[found[2]]


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
