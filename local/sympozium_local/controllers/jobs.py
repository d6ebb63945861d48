"""The Job controller: carries out what `job_plan` decides."""

import asyncio
import copy
import logging
import math
from datetime import UTC, datetime

from sympozium.contract.resources import JOBS, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import ForbiddenError, InvalidError, NotFoundError
from sympozium.kube.informer import Informer, Key
from sympozium.kube.queue import WorkQueue
from sympozium_local.controllers.events import Events
from sympozium_local.controllers.job_counts import INDEX_ANNOTATION, Counts, recall
from sympozium_local.controllers.job_plan import Plan, plan_job
from sympozium_local.controllers.pods import (
    NewPod,
    controller_uid,
    create_pod,
    delete_pod,
    has_ended,
)

log = logging.getLogger(__name__)

COUNTERS_LAG_S = 5.0
"""How far the counters of a Job's running pods may lag behind.

A Job that is shorter costs one status write, at its end. The real controller, too, batches what
pods become, though for a second.

Source: pkg/controller/job/job_controller.go (syncJobBatchPeriod).
"""

WAITING_LAG_S = 20.0
"""How far they may lag behind while none of its pods is ready.

In a burst that waits for room on the machine, each Job would cost a write that says so.
"""

_LAGGING = {"active", "ready", "terminating", "startTime", "uncountedTerminatedPods"}
_MANAGED_BY = "kubernetes.io/job-controller"


class JobController:
    """Keeps every Job's pods and status as its spec wants them."""

    def __init__(self, kube: Kube, jobs: Informer, pods: Informer) -> None:
        self._kube = kube
        self._jobs = jobs
        self._pods = pods
        self._events = Events(kube, "job-controller")
        self._queue: WorkQueue[Key] = WorkQueue()
        self._counts: dict[str, Counts] = {}
        self._lost: dict[str, list[Object]] = {}
        self._lag_until: dict[str, float] = {}
        self._names: dict[str, Key] = {}
        jobs.listen(self._job_changed)
        pods.listen(self._pod_changed)

    async def run(self, stop: asyncio.Event) -> None:
        """Reconcile Jobs until *stop* is set."""
        await self._queue.work(self._reconcile, stop)

    def _job_changed(self, key: Key, old: Object | None, new: Object | None) -> None:
        if old is not None and new is None:
            uid = old["metadata"]["uid"]
            for memory in (self._counts, self._lost, self._lag_until, self._names):
                memory.pop(uid, None)
            return
        if new is not None:
            self._names[new["metadata"]["uid"]] = key
            self._queue.add(key)

    def _pod_changed(self, key: Key, old: Object | None, new: Object | None) -> None:
        pod = new or old
        owner = controller_uid(pod) if pod else ""
        job = self._names.get(owner)
        if job is None:
            return
        if new is None and old is not None and not has_ended(old):
            self._lost.setdefault(owner, []).append(old)
        self._queue.add(job)

    async def _reconcile(self, key: Key) -> None:
        job = self._jobs.get(*key)
        if job is None or job["metadata"].get("deletionTimestamp"):
            return
        if job["spec"].get("managedBy", _MANAGED_BY) != _MANAGED_BY:
            return
        uid = job["metadata"]["uid"]
        pods = self._pods.by_index("owner", uid)
        counts = self._counts.get(uid)
        if counts is None:
            counts = self._counts[uid] = recall(job, pods)
        for pod in self._lost.pop(uid, ()):
            counts.take(job, pod)
        plan = plan_job(job, pods, counts, datetime.now(UTC))
        await self._carry_out(key, job, plan)

    async def _carry_out(self, key: Key, job: Object, plan: Plan) -> None:
        counts = self._counts[job["metadata"]["uid"]]
        if plan.delete_job:
            await self._delete(job)
            return
        for number, index in enumerate(plan.creates):
            seed = f"{job['metadata']['resourceVersion']}/{len(counts.seen)}/{number}"
            await self._create(job, index, seed)
        for pod in plan.deletes:
            await delete_pod(self._kube, pod)
        await self._write_status(key, job, plan)
        for note in plan.notes:
            await self._events.record(job, note.reason, note.message, warning=note.warning)
        if plan.again_after_s is not None:
            self._queue.add_after(key, plan.again_after_s)

    async def _create(self, job: Object, index: int | None, seed: str) -> None:
        metadata = job["metadata"]
        prefix = metadata["name"] if index is None else f"{metadata['name']}-{index}"
        try:
            pod = await create_pod(self._kube, NewPod(job, _template(job, index), prefix, seed))
        except (InvalidError, ForbiddenError) as error:
            text = f"Error creating: {error}"
            await self._events.record(job, "FailedCreate", text, warning=True)
            raise
        self._pods.remember(pod)
        text = f"Created pod: {pod['metadata']['name']}"
        await self._events.record(job, "SuccessfulCreate", text, warning=False)

    async def _delete(self, job: Object) -> None:
        metadata = job["metadata"]
        try:
            await self._kube.delete(
                JOBS, metadata["namespace"], metadata["name"], uid=metadata["uid"]
            )
        except NotFoundError:
            return

    async def _write_status(self, key: Key, job: Object, plan: Plan) -> None:
        uid = job["metadata"]["uid"]
        old = job.get("status") or {}
        if old == plan.status:
            self._lag_until.pop(uid, None)
            return
        if _lasting(old) == _lasting(plan.status):
            now = asyncio.get_running_loop().time()
            lag_s = COUNTERS_LAG_S if plan.status.get("ready") else WAITING_LAG_S
            held = self._lag_until.get(uid, math.inf)
            due = self._lag_until[uid] = min(held, now + lag_s)
            if now < due:
                if due < held or due - now < COUNTERS_LAG_S:  # a timer may be a moment early
                    self._queue.add_after(key, due - now)
                return
        self._lag_until.pop(uid, None)
        new = await self._kube.replace(JOBS, job | {"status": plan.status}, subresource="status")
        self._jobs.remember(new)


def _lasting(status: Object) -> Object:
    return {name: value for name, value in status.items() if name not in _LAGGING}


def _template(job: Object, index: int | None) -> Object:
    template: Object = copy.deepcopy(job["spec"]["template"])
    metadata = template.setdefault("metadata", {})
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    labels = {"controller-uid": uid, "job-name": name}
    labels |= {f"batch.kubernetes.io/{key}": value for key, value in labels.items()}
    metadata["labels"] = (metadata.get("labels") or {}) | labels
    if index is not None:
        marks = {INDEX_ANNOTATION: str(index)}
        metadata["annotations"] = (metadata.get("annotations") or {}) | marks
        metadata["labels"] |= marks
        template["spec"].setdefault("hostname", f"{name}-{index}")
        variable = {"name": "JOB_COMPLETION_INDEX", "value": str(index)}
        for container in template["spec"].get("containers") or ():
            container["env"] = [*(container.get("env") or []), variable]
    return template
