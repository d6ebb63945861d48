"""The ReplicaSet controller: so many pods of one template, no more and no fewer."""

import asyncio
from datetime import UTC, datetime

from sympozium.contract.resources import REPLICA_SETS, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import ForbiddenError, InvalidError
from sympozium.kube.informer import Informer, Key
from sympozium.kube.queue import WorkQueue
from sympozium_local.controllers.events import Events
from sympozium_local.controllers.pods import (
    NewPod,
    controller_uid,
    create_pod,
    created_at,
    delete_pod,
    is_active,
    is_ready,
    ready_for_s,
)


class ReplicaSetController:
    """Keeps every ReplicaSet's pods and status as its spec wants them."""

    def __init__(self, kube: Kube, sets: Informer, pods: Informer) -> None:
        self._kube = kube
        self._sets = sets
        self._pods = pods
        self._events = Events(kube, "replicaset-controller")
        self._queue: WorkQueue[Key] = WorkQueue()
        self._names: dict[str, Key] = {}
        self._made: dict[str, int] = {}
        sets.listen(self._set_changed)
        pods.listen(self._pod_changed)

    async def run(self, stop: asyncio.Event) -> None:
        """Reconcile ReplicaSets until *stop* is set."""
        await self._queue.work(self._reconcile, stop)

    def _set_changed(self, key: Key, old: Object | None, new: Object | None) -> None:
        if old is not None and new is None:
            self._names.pop(old["metadata"]["uid"], None)
            self._made.pop(old["metadata"]["uid"], None)
        elif new is not None:
            self._names[new["metadata"]["uid"]] = key
            self._queue.add(key)

    def _pod_changed(self, key: Key, old: Object | None, new: Object | None) -> None:
        pod = new or old
        owner = self._names.get(controller_uid(pod)) if pod else None
        if owner is not None:
            self._queue.add(owner)

    async def _reconcile(self, key: Key) -> None:
        owner = self._sets.get(*key)
        if owner is None or owner["metadata"].get("deletionTimestamp"):
            return
        uid = owner["metadata"]["uid"]
        pods = [pod for pod in self._pods.by_index("owner", uid) if is_active(pod)]
        wanted = int(owner["spec"].get("replicas", 1))
        for _ in range(wanted - len(pods)):
            await self._create(owner)
        now = datetime.now(UTC)
        for pod in expendable(pods, now)[: max(0, len(pods) - wanted)]:
            await self._delete(owner, pod)
        await self._write_status(key, owner, now)

    async def _create(self, owner: Object) -> None:
        uid = owner["metadata"]["uid"]
        number = self._made[uid] = self._made.get(uid, 0) + 1
        seed = f"{owner['metadata']['resourceVersion']}/{number}"
        new = NewPod(owner, owner["spec"]["template"], owner["metadata"]["name"], seed)
        try:
            pod = await create_pod(self._kube, new)
        except (InvalidError, ForbiddenError) as error:
            text = f"Error creating: {error}"
            await self._events.record(owner, "FailedCreate", text, warning=True)
            raise
        self._pods.remember(pod)
        text = f"Created pod: {pod['metadata']['name']}"
        await self._events.record(owner, "SuccessfulCreate", text, warning=False)

    async def _delete(self, owner: Object, pod: Object) -> None:
        await delete_pod(self._kube, pod)
        text = f"Deleted pod: {pod['metadata']['name']}"
        await self._events.record(owner, "SuccessfulDelete", text, warning=False)

    async def _write_status(self, key: Key, owner: Object, now: datetime) -> None:
        pods = self._pods.by_index("owner", owner["metadata"]["uid"])
        pods = [pod for pod in pods if is_active(pod)]
        status = set_status(owner, pods, now)
        pause_s = float(owner["spec"].get("minReadySeconds") or 0)
        if status["readyReplicas"] > status["availableReplicas"]:
            self._queue.add_after(key, pause_s)
        if (owner.get("status") or {}) != status:
            body = owner | {"status": status}
            self._sets.remember(await self._kube.replace(REPLICA_SETS, body, subresource="status"))


def expendable(pods: list[Object], now: datetime) -> list[Object]:
    """Return *pods* in the order in which to give them up: not ready first, newest first."""
    return sorted(pods, key=lambda pod: (is_ready(pod), (now - created_at(pod)).total_seconds()))


def set_status(owner: Object, pods: list[Object], now: datetime) -> Object:
    """Return the status of a ReplicaSet that has the active *pods*."""
    pause_s = float(owner["spec"].get("minReadySeconds") or 0)
    ready = [pod for pod in pods if is_ready(pod)]
    labels = (owner["spec"]["template"].get("metadata") or {}).get("labels") or {}
    labelled = [pod for pod in pods if labels.items() <= (pod["metadata"]["labels"] or {}).items()]
    return {
        "replicas": len(pods),
        "fullyLabeledReplicas": len(labelled),
        "readyReplicas": len(ready),
        "availableReplicas": sum(1 for pod in ready if ready_for_s(pod, now) >= pause_s),
        "observedGeneration": owner["metadata"].get("generation", 1),
    }
