"""What scenarios do to find the run behind a message and its pods."""

import asyncio

from sympozium.contract.resources import AGENT_RUNS, PODS, RUN_LABEL, Object
from sympozium.kube.client import Kube

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


async def pods_of(kube: Kube, run: Object) -> list[Object]:
    """Return the pods of a run."""
    selector = f"{RUN_LABEL}={run['metadata']['name']}"
    return (await kube.list(PODS, "default", labelSelector=selector)).items
