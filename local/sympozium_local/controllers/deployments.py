"""The Deployment controller: moves pods from one template to the next through ReplicaSets."""

import asyncio
from datetime import UTC, datetime

from sympozium.contract.resources import DEPLOYMENTS, REPLICA_SETS, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import AlreadyExistsError, NotFoundError
from sympozium.kube.informer import Informer, Key
from sympozium.kube.queue import WorkQueue
from sympozium_local.controllers.events import Events
from sympozium_local.controllers.pods import condition, controller_uid
from sympozium_local.controllers.rollout import (
    REVISION,
    build_set,
    deployment_status,
    matching_set,
    progress_deadline,
    revision_of,
    scales,
    surplus,
)


class DeploymentController:
    """Keeps every Deployment's ReplicaSets and status as its spec wants them."""

    def __init__(self, kube: Kube, deployments: Informer, sets: Informer) -> None:
        self._kube = kube
        self._deployments = deployments
        self._sets = sets
        self._events = Events(kube, "deployment-controller")
        self._queue: WorkQueue[Key] = WorkQueue()
        self._names: dict[str, Key] = {}
        deployments.listen(self._deployment_changed)
        sets.listen(self._set_changed)

    async def run(self, stop: asyncio.Event) -> None:
        """Reconcile Deployments until *stop* is set."""
        await self._queue.work(self._reconcile, stop)

    def _deployment_changed(self, key: Key, old: Object | None, new: Object | None) -> None:
        if old is not None and new is None:
            self._names.pop(old["metadata"]["uid"], None)
        elif new is not None:
            self._names[new["metadata"]["uid"]] = key
            self._queue.add(key)

    def _set_changed(self, key: Key, old: Object | None, new: Object | None) -> None:
        changed = new or old
        owner = self._names.get(controller_uid(changed)) if changed else None
        if owner is not None:
            self._queue.add(owner)

    async def _reconcile(self, key: Key) -> None:
        deployment = self._deployments.get(*key)
        if deployment is None or deployment["metadata"].get("deletionTimestamp"):
            return
        owned = self._sets.by_index("owner", deployment["metadata"]["uid"])
        new = matching_set(deployment, owned)
        old = [one for one in owned if one is not new]
        if not deployment["spec"].get("paused"):
            if new is None:
                new = await self._create_set(deployment, old)
            new = await self._number(deployment, new, old)
        if new is not None:
            new, old = await self._scale(deployment, new, old)
        await self._forget(surplus(deployment, old))
        await self._write_status(key, deployment, new, old)

    async def _create_set(self, deployment: Object, old: list[Object]) -> Object:
        collisions = int((deployment.get("status") or {}).get("collisionCount") or 0)
        revision = max(map(revision_of, old), default=0) + 1
        wanted = build_set(deployment, revision=revision, collisions=collisions)
        metadata = wanted["metadata"]
        try:
            new = await self._kube.create(REPLICA_SETS, wanted)
        except AlreadyExistsError:
            new = await self._kube.get(REPLICA_SETS, metadata["namespace"], metadata["name"])
            if controller_uid(new) != deployment["metadata"]["uid"]:
                raise
        self._sets.remember(new)
        return new

    async def _number(self, deployment: Object, new: Object, old: list[Object]) -> Object:
        """Give *new* the highest revision, also when it is an old template come back."""
        revision = max([*map(revision_of, old), 0]) + 1
        metadata = new["metadata"]
        if revision_of(new) < revision:
            mark = {"metadata": {"annotations": {REVISION: str(revision)}}}
            new = await self._kube.patch(
                REPLICA_SETS, metadata["namespace"], metadata["name"], mark
            )
            self._sets.remember(new)
        if revision_of(deployment) != revision_of(new):
            mark = {"metadata": {"annotations": {REVISION: str(revision_of(new))}}}
            metadata = deployment["metadata"]
            changed = await self._kube.patch(
                DEPLOYMENTS, metadata["namespace"], metadata["name"], mark
            )
            self._deployments.remember(changed)
        return new

    async def _scale(
        self, deployment: Object, new: Object, old: list[Object]
    ) -> tuple[Object, list[Object]]:
        if deployment["spec"].get("paused") and any(one["spec"].get("replicas") for one in old):
            return new, old
        for owned, size in scales(deployment, new, old):
            metadata = owned["metadata"]
            before = int(owned["spec"].get("replicas", 0))
            patch = {"spec": {"replicas": size}}
            scaled = await self._kube.patch(
                REPLICA_SETS, metadata["namespace"], metadata["name"], patch
            )
            self._sets.remember(scaled)
            verb = "up" if size > before else "down"
            text = f"Scaled {verb} replica set {metadata['name']} from {before} to {size}"
            await self._events.record(deployment, "ScalingReplicaSet", text, warning=False)
            if owned is new:
                new = scaled
            else:
                old = [scaled if one is owned else one for one in old]
        return new, old

    async def _forget(self, sets: list[Object]) -> None:
        for owned in sets:
            metadata = owned["metadata"]
            try:
                await self._kube.delete(
                    REPLICA_SETS, metadata["namespace"], metadata["name"], uid=metadata["uid"]
                )
            except NotFoundError:
                continue

    async def _write_status(
        self, key: Key, deployment: Object, new: Object | None, old: list[Object]
    ) -> None:
        deployment = self._deployments.get(*key) or deployment
        now = datetime.now(UTC)
        status = deployment_status(deployment, new, old, now)
        if (deployment.get("status") or {}) != status:
            body = deployment | {"status": status}
            written = await self._kube.replace(DEPLOYMENTS, body, subresource="status")
            self._deployments.remember(written)
            deployment = written
        progressing = condition(deployment, "Progressing")
        if progressing and progressing["reason"] == "ReplicaSetUpdated":
            left = progress_deadline(deployment, progressing) - now
            self._queue.add_after(key, max(0.1, left.total_seconds()))
