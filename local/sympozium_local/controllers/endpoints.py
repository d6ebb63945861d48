"""The Endpoints of Services: the addresses of the ready pods that each selects.

Who looks up a Service here is the API server, for the webhooks that it calls.
Source: pkg/controller/endpoint of kubernetes.
"""

import asyncio
from typing import Any

from sympozium.contract.resources import ENDPOINTS, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import NotFoundError
from sympozium.kube.informer import Informer, Key
from sympozium.kube.queue import WorkQueue
from sympozium_local.controllers.pods import has_ended, is_ready, is_terminating

MANAGER = "endpoint-controller"


class EndpointsController:
    """Writes the Endpoints of every Service that selects pods, when they change."""

    def __init__(self, kube: Kube, services: Informer, pods: Informer) -> None:
        self._kube = kube
        self._services = services
        self._pods = pods
        self._queue: WorkQueue[Key] = WorkQueue()
        self._written: dict[Key, Object] = {}
        services.listen(lambda key, _old, _new: self._queue.add(key))
        pods.listen(lambda key, old, new: self._pod_changed(key[0], old, new))

    async def run(self, stop: asyncio.Event) -> None:
        """Keep them until *stop* is set. The copies must be complete."""
        await self._queue.work(self.reconcile, stop, workers=1)

    async def reconcile(self, key: Key) -> None:
        """Make the Endpoints of one Service be what they should."""
        service = self._services.get(*key)
        if service is None or not selector_of(service):
            if self._written.pop(key, None) is not None:
                await self._remove(key)
            return
        wanted = endpoints_of(service, self._selected(service))
        if self._written.get(key) != wanted:
            await self._kube.apply(ENDPOINTS, wanted, manager=MANAGER)
            self._written[key] = wanted

    async def _remove(self, key: Key) -> None:
        try:
            await self._kube.delete(ENDPOINTS, *key)
        except NotFoundError:
            return

    def _selected(self, service: Object) -> list[Object]:
        namespace, selector = service["metadata"]["namespace"], selector_of(service)
        found = [
            pod
            for pod in self._pods.all()
            if pod["metadata"]["namespace"] == namespace and _is_selected(pod, selector)
        ]
        return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))

    def _pod_changed(self, namespace: str, old: Object | None, new: Object | None) -> None:
        for service in self._services.all():
            metadata, selector = service["metadata"], selector_of(service)
            states = [pod for pod in (old, new) if pod is not None]
            if metadata["namespace"] == namespace and any(
                _is_selected(pod, selector) for pod in states
            ):
                self._queue.add((namespace, metadata["name"]))


def selector_of(service: Object) -> Object:
    """Return the labels by which a Service selects pods; {}: it selects none."""
    found: Object = service["spec"].get("selector") or {}
    return found


def endpoints_of(service: Object, pods: list[Object]) -> Object:
    """Return the Endpoints of a Service of which *pods* are selected."""
    metadata = service["metadata"]
    ready = [pod for pod in pods if is_ready(pod) and not has_ended(pod) and _address(pod)]
    subsets = [
        {"addresses": [{"ip": _address(pod)}], "ports": ports}
        for pod in ready
        if not is_terminating(pod) and (ports := _ports(service, pod))
    ]
    return {
        "apiVersion": ENDPOINTS.api_version,
        "kind": ENDPOINTS.kind,
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": metadata.get("labels") or {},
        },
        "subsets": subsets,
    }


def _is_selected(pod: Object, selector: Object) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return bool(selector) and selector.items() <= labels.items()


def _address(pod: Object) -> str:
    return str((pod.get("status") or {}).get("podIP") or "")


def _ports(service: Object, pod: Object) -> list[Object]:
    ports = []
    for port in service["spec"].get("ports") or ():
        number = _number(port.get("targetPort", port["port"]), pod)
        if number:
            entry: Object = {"port": number, "protocol": port.get("protocol", "TCP")}
            ports.append(entry | ({"name": port["name"]} if port.get("name") else {}))
    return ports


def _number(target: Any, pod: Object) -> int:
    if isinstance(target, int):
        return target
    for container in (pod.get("spec") or {}).get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == target:
                return int(port["containerPort"])
    return 0
