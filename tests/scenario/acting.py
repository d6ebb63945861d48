"""What scenarios do to find the run behind a message and its pods."""

import asyncio
from pathlib import Path

from sympozium.contract.resources import AGENT_RUNS, PODS, RUN_LABEL, Object
from sympozium.kube.client import Kube
from tests.fixtures.system import System

WAIT_S = 30.0


async def run_of(kube: Kube, message_id: str) -> Object | None:
    """Return the run that answers a message, if there is one."""
    for run in (await kube.list(AGENT_RUNS, "default")).items:
        if run["spec"].get("source", {}).get("messageId") == message_id:
            return run
    return None


async def started_run(kube: Kube, message_id: str) -> Object:
    """Return the run that answers a message, once there is one."""
    async with asyncio.timeout(WAIT_S):
        while True:
            if (run := await run_of(kube, message_id)) is not None:
                return run
            await asyncio.sleep(0.05)


async def token_of(kube: Kube, system: System, component: str, audience: str = "") -> Path:
    """Return where a node keeps the token of a program for *audience*; "": the API server.

    Nobody but the pod's kubelet is given such a token, so what acts as a program reads it there.
    """
    labels = f"sympozium.ai/component={component}"
    pod = next(
        pod
        for pod in (await kube.list(PODS, labelSelector=labels)).items
        if pod["status"]["phase"] == "Running"
    )
    names = [
        volume["name"]
        for volume in pod["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        if source.get("serviceAccountToken", {"audience": None}).get("audience", "") == audience
    ]
    return system.volume(pod, names[0]) / "token"


async def pods_of(kube: Kube, run: Object) -> list[Object]:
    """Return the pods of a run."""
    selector = f"{RUN_LABEL}={run['metadata']['name']}"
    return (await kube.list(PODS, "default", labelSelector=selector)).items
