"""What the tests of the controllers do to a cluster: make objects, play the kubelet, wait."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sympozium.contract.resources import PODS, Object, Resource
from sympozium.kube.client import Kube
from sympozium_local.apiserver.server import Endpoint as Served
from sympozium_local.controllers.run import run_controllers

NAMESPACE = "default"
LOOK_S = 0.005
LONG_S = 15
"""How long what must come may take on a machine whose disk stands still for seconds."""


@dataclass
class Controllers:
    """The controllers of one cluster, which may be stopped and started."""

    kube: Kube
    group: asyncio.TaskGroup
    served: Served
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start them."""
        self._stop = asyncio.Event()
        self._task = self.group.create_task(run_controllers(self.kube, self._stop))

    async def stop(self) -> None:
        """Stop them, and return when they ended."""
        self._stop.set()
        if self._task is not None:
            await self._task


def pod_template(image: str = "sympozium/machine", **spec: Any) -> Object:
    return {
        "metadata": {"labels": {"app": "it"}},
        "spec": {"containers": [{"name": "main", "image": image, "command": ["true"]}], **spec},
    }


def job(name: str, **spec: Any) -> Object:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"template": pod_template(restartPolicy="Never"), **spec},
    }


def deployment(name: str, **spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "it"}},
            "template": pod_template(),
            **spec,
        },
    }


async def until(
    look: Callable[[], Awaitable[Any]],
    holds: Callable[[Any], bool] = bool,
    *,
    timeout_s: float = LONG_S,
) -> Any:
    """Look until what is seen holds, and return it."""
    seen: Any = None
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                seen = await look()
                if holds(seen):
                    return seen
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise AssertionError(f"it never came to be; last seen: {seen}") from None


async def pods(kube: Kube) -> list[Object]:
    """Return the pods that are there and not being deleted, oldest first."""
    items = (await kube.list(PODS, NAMESPACE)).items
    alive = [pod for pod in items if not pod["metadata"].get("deletionTimestamp")]
    return sorted(alive, key=lambda pod: int(pod["metadata"]["resourceVersion"]))


async def some_pods(kube: Kube, count: int) -> list[Object]:
    """Return the pods when there are so many."""
    found: list[Object] = await until(lambda: pods(kube), lambda seen: len(seen) == count)
    return found


async def set_phase(kube: Kube, pod: Object, phase: str, **status: Any) -> None:
    """Report a pod's phase as a kubelet does."""
    body = {"status": {"phase": phase, **status}}
    await kube.patch(PODS, NAMESPACE, pod["metadata"]["name"], body, subresource="status")


async def make_ready(kube: Kube, *some: Object) -> None:
    """Report pods as running and ready."""
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    for pod in some:
        await set_phase(kube, pod, "Running", conditions=[ready])


async def has_condition(
    kube: Kube, resource: Resource, name: str, kind: str, *, status: str = "True"
) -> Object:
    """Return the object when its condition is so."""

    async def look() -> Object:
        return await kube.get(resource, NAMESPACE, name)

    def holds(obj: Object) -> bool:
        conditions = (obj.get("status") or {}).get("conditions") or []
        return any(one["type"] == kind and one["status"] == status for one in conditions)

    found: Object = await until(look, holds)
    return found
