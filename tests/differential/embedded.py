"""An embedded cluster of our own, as a server to ask."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sympozium.kube.client import connect
from sympozium.kube.endpoint import Endpoint
from sympozium_local.apiserver.server import serve
from sympozium_local.controllers import run
from sympozium_local.controllers.run import run_controllers
from sympozium_local.kubelet.kubelet import KubeletSettings, run_kubelet
from tests.differential.server import Server, client_session


@asynccontextmanager
async def embedded_server(data_dir: Path, *, kubelet: bool = False) -> AsyncIterator[Server]:
    """Serve an embedded cluster with its controllers, and with a kubelet if asked."""
    with pytest.MonkeyPatch.context() as patient:
        patient.setattr(run, "DRAIN_S", 30.0)  # at its end it still clears away what cases made
        async with _serving(data_dir, kubelet=kubelet) as server:
            yield server


@asynccontextmanager
async def _serving(data_dir: Path, *, kubelet: bool) -> AsyncIterator[Server]:
    api_dir = data_dir / "api"
    async with serve(api_dir) as served:
        endpoint = Endpoint(served.url, served.ca_file, served.token_file)
        context = ssl.create_default_context(cafile=str(served.ca_file))
        headers = {"Authorization": f"Bearer {served.token_file.read_text()}"}
        stop = asyncio.Event()
        async with (
            connect(endpoint) as kube,
            client_session(context, headers) as session,
            client_session(context, {}) as stranger,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(run_controllers(kube, stop))
            try:
                if kubelet:
                    settings = KubeletSettings(
                        endpoint, data_dir / "node", api_dir / "kubelet.sock", preloaded=()
                    )
                    ready = asyncio.Event()
                    group.create_task(run_kubelet(settings, stop, on_ready=lambda _: ready.set()))
                    await ready.wait()
                yield Server(served.url, session, stranger, served.kubeconfig)
            finally:
                stop.set()
