"""The node: what a cluster is beside its API server, in one process.

python -m sympozium_local.system.node --home DIR

It makes the objects of `addons.json` be there, runs the built-in controllers and
the kubelet. One process instead of three saves two interpreters with the same
libraries, and half a second of the start.
"""

import argparse
import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.kube.client import Kube, connect
from sympozium.kube.endpoint import Endpoint
from sympozium.kube.errors import ForbiddenError
from sympozium.runtime.long_lived import settle_in
from sympozium.runtime.loops import run_until_stopped, stop_on_signals
from sympozium.runtime.program import run_program
from sympozium_local.controllers.run import run_controllers
from sympozium_local.kubelet.__main__ import read_kubeconfig
from sympozium_local.kubelet.kubelet import KubeletSettings, run_kubelet
from sympozium_local.system.addons import apply_addons
from sympozium_local.system.home import Home, read_json, write_private

log = logging.getLogger(__name__)

API_PATIENCE_S = 30.0
API_RETRY_S = 0.02
KUBELET_DRAIN_S = 2.5
DRAIN_S = 3.5


async def run_node(home: Home) -> None:
    """Run the node until SIGTERM.

    Raises:
        PermanentError: The API server is not there, or this machine cannot run containers.
    """
    settle_in()  # a node that comes back reads all its pods at once, none of which is garbage
    home.node_ready.unlink(missing_ok=True)
    administrator = await _endpoint(home, "admin")
    async with (
        connect(administrator) as kube,
        connect(await _endpoint(home, "controller-manager")) as manager,
    ):
        await _api_up(kube)  # nothing to end gracefully until here
        stop = stop_on_signals()
        settings = KubeletSettings(
            endpoint=await _endpoint(home, "kubelet"),
            data_dir=home.node,
            log_socket=home.log_socket,
            allowed_host_paths=(home.router,),
            drain_s=KUBELET_DRAIN_S,
        )
        runs_pods, shortfall = asyncio.Event(), ""

        def ready(missing: str) -> None:
            nonlocal shortfall
            shortfall = missing
            runs_pods.set()

        async def kubelet(stop: asyncio.Event) -> None:
            await run_kubelet(settings, stop, on_ready=ready)

        async def controllers(stop: asyncio.Event) -> None:
            await run_controllers(manager, stop)

        async def addons(stop: asyncio.Event) -> None:
            await apply_addons(kube, read_json(home.addons))
            await runs_pods.wait()
            write_private(home.node_ready, shortfall)
            log.info("node ready", extra={"action": "start"})
            await stop.wait()

        await run_until_stopped(kubelet, controllers, addons, stop=stop, drain_s=DRAIN_S)


async def _endpoint(home: Home, user: str) -> Endpoint:
    """Return where the API server is for one of our users, once it has said so.

    Kubelet and controllers are themselves there, as everywhere: admission tells by its
    user who makes a pod.
    """
    kubeconfig = home.apiserver / f"{user}.kubeconfig"
    async with asyncio.timeout(API_PATIENCE_S):
        while not kubeconfig.exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(API_RETRY_S)
    folder = home.node / "access" / user
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return read_kubeconfig(kubeconfig, folder)


async def _api_up(kube: Kube) -> None:
    """Return when the API server answers.

    Raises:
        PermanentError: It does not within half a minute.
    """
    deadline = asyncio.get_running_loop().time() + API_PATIENCE_S
    while True:
        try:
            await kube.request("GET", "/version")
        except (TransientError, ForbiddenError) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise PermanentError(f"cannot run the node: {error}") from error
            await asyncio.sleep(API_RETRY_S)
        else:
            return


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the node until SIGTERM."""
    parser = argparse.ArgumentParser(prog="sympozium_local.system.node", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the system's folder")
    given = parser.parse_args(arguments)
    run_program("node", lambda: run_node(Home(given.home)))


if __name__ == "__main__":
    main()
