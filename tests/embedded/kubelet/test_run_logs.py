"""A run's logs as `sympozium runs logs` shows them while the run goes on."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sympozium.contract.resources import AGENT_RUNS, API_VERSION, Object
from sympozium_local.cli.access.endpoint import endpoint_of
from sympozium_local.cli.access.kubeconfig import read_kubeconfig
from sympozium_local.cli.cluster import Cluster
from tests.cli.apis import install
from tests.local.command_line import CommandLine

pytestmark = pytest.mark.timeout(90)

Build = Callable[..., Object]
RUN = "run-1"


async def test_followed_logs_go_side_by_side_each_line_with_its_container(
    node: Any, tmp_path: Path, pod: Build, sh: Build
) -> None:
    kubeconfig = tmp_path / "api" / "admin.kubeconfig"
    command_line = CommandLine(tmp_path / "home", 1)
    cluster = Cluster(endpoint_of(read_kubeconfig([kubeconfig]).context()))
    await asyncio.to_thread(install, cluster)
    await node.kube.create(
        AGENT_RUNS,
        {
            "apiVersion": API_VERSION,
            "kind": "AgentRun",
            "metadata": {"name": RUN, "namespace": "default"},
            "spec": {"agentRef": "assistant", "task": "hello"},
        },
    )
    mounts = {"volumeMounts": [{"name": "told", "mountPath": "/told"}]}
    bridge = sh("ipc-bridge", "echo up; exec sleep 600", restartPolicy="Always")
    setup = sh("setup", "until [ -e /told/go ]; do sleep 0.02; done", **mounts)
    agent = sh(
        "agent", "echo one; until [ -e /told/end ]; do sleep 0.02; done; printf two", **mounts
    )
    made = pod(
        "p", agent, initContainers=[bridge, setup], volumes=[{"name": "told", "emptyDir": {}}],
        terminationGracePeriodSeconds=1,
    )  # fmt: skip
    made["metadata"]["labels"]["job-name"] = RUN
    made = await node.create(made)
    await node.wait_for(
        "p", lambda one: bool((one.get("status") or {}).get("initContainerStatuses"))
    )

    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("sympozium")), "runs", "logs", RUN, "--follow",
        stdout=asyncio.subprocess.PIPE, env=command_line.environ | {"KUBECONFIG": str(kubeconfig)},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ipc-bridge  up\n"
        node.touch(made, "told", "go")
        assert await process.stdout.readline() == b"agent       one\n"
        node.touch(made, "told", "end")
        assert await process.stdout.read() == b"agent       two\n"
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
