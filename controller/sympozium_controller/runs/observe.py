"""What is known of runs without asking anyone: informers, and what their runs said."""

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from sympozium.contract.agent import AgentSpec
from sympozium.contract.names import RunUid
from sympozium.contract.resources import (
    AGENT_RUNS,
    AGENTS,
    COMPONENT_LABEL,
    JOBS,
    LIMIT_RANGES,
    PODS,
    RUN_LABEL,
    Object,
)
from sympozium.kube.informer import Key
from sympozium.kube.tenants import TenantInformer, Tenants
from sympozium_controller.runs.bounds import Bounds, read_bounds
from sympozium_controller.runs.pod import MODEL_ANNOTATION
from sympozium_controller.runs.slim import slim_job, slim_pod, slim_run
from sympozium_controller.runs.turns.conversations import Conversations
from sympozium_controller.runs.view import (
    JobView,
    PodView,
    Run,
    controller_uid,
    is_finished_run,
    read_job,
    read_pod,
)

_OURS = f"{COMPONENT_LABEL}=run"


class RunCache:
    """Copies of all AgentRuns, Agents, run Jobs and run pods of tenants."""

    def __init__(self, tenants: Tenants) -> None:
        self.runs = tenants.informer(AGENT_RUNS, indexes={"unfinished-uid": _uid}, keep=slim_run)
        self.agents = tenants.informer(AGENTS)
        self.jobs = tenants.informer(JOBS, keep=slim_job, labelSelector=_OURS)
        self.pods = tenants.informer(
            PODS, indexes={"job-uid": _owner}, keep=slim_pod, labelSelector=_OURS
        )
        self.limit_ranges = tenants.informer(LIMIT_RANGES, indexes={"namespace": _namespace})
        self._started: dict[RunUid, datetime] = {}
        self._absorbing: set[RunUid] = set()
        self._blocked: dict[RunUid, int] = {}
        self._start_listener: Callable[[Key], None] = lambda _: None
        self.conversations = Conversations()
        self.runs.listen(self.conversations.changed)
        self.runs.listen(self._forget_finished)

    @property
    def informers(self) -> tuple[TenantInformer, ...]:
        """All of them, for whoever listens to them."""
        return self.runs, self.agents, self.jobs, self.pods, self.limit_ranges

    def wake(self, add: Callable[[Key], None]) -> None:
        """Have *add* called with the key of a run whenever something about it changed."""

        def run_changed(key: Key, old: Object | None, new: Object | None) -> None:
            add(key)
            if new is None or is_finished_run(new):
                next_ = self.conversations.first(new or old or {})
                if next_ is not None:
                    add(next_)

        def agent_appeared(key: Key, old: Object | None, _: Object | None) -> None:
            if old is None:
                for run in self.runs.all():
                    if not is_finished_run(run) and _agent_key(run) == key:
                        add(_key(run))

        def pod_changed(_: Key, old: Object | None, new: Object | None) -> None:
            metadata = (new or old or {})["metadata"]
            add((metadata["namespace"], metadata["labels"].get(RUN_LABEL, "")))

        self.runs.listen(run_changed)
        self.agents.listen(agent_appeared)
        self.jobs.listen(lambda key, _old, _new: add(key))
        self.pods.listen(pod_changed)

    def unfinished(self, uid: RunUid) -> Object | None:
        """Return the run with *uid* if it has not ended."""
        return next(iter(self.runs.by_index("unfinished-uid", uid)), None)

    def job(self, run: Run) -> JobView | None:
        """Return the Job that bears the name of *run*."""
        found = self.jobs.get(run.namespace, run.name)
        return None if found is None else read_job(found, model_annotation=MODEL_ANNOTATION)

    def pod(self, job: JobView) -> PodView | None:
        """Return the newest pod of *job*; one that was disrupted only if there is no other."""
        pods = [read_pod(found) for found in self.pods.by_index("job-uid", job.uid)]
        return max(pods, key=lambda pod: (not pod.is_disrupted, pod.created), default=None)

    def leaving_pods(self, job: JobView) -> tuple[PodView, ...]:
        """Return the pods of *job* that were disrupted or deleted and are still there."""
        pods = [read_pod(found) for found in self.pods.by_index("job-uid", job.uid)]
        return tuple(pod for pod in pods if pod.is_disrupted or pod.deleted is not None)

    def agent(self, namespace: str, name: str) -> AgentSpec | None:
        """Return the spec of an Agent."""
        found = self.agents.get(namespace, name)
        return None if found is None else msgspec.convert(found["spec"], AgentSpec)

    def bounds(self, namespace: str) -> Bounds:
        """Return what the LimitRanges of *namespace* say of containers."""
        return read_bounds(self.limit_ranges.by_index("namespace", namespace))

    def said_started(self, uid: RunUid, moment: datetime) -> None:
        """Take note that an unfinished run said it has started."""
        run = self.unfinished(uid)
        if run is not None:
            self._started.setdefault(uid, moment)
            self._start_listener(_key(run))

    def listen_to_starts(self, listener: Callable[[Key], None]) -> None:
        """Have *listener*, and no earlier one, called with the key of a run that has started."""
        self._start_listener = listener

    def started(self, uid: RunUid) -> datetime | None:
        """Return when the run said that it has started, if it did."""
        return self._started.get(uid)

    def said_absorbed(self, uid: RunUid) -> None:
        """Take note that an unfinished run said it took in a message."""
        if self.unfinished(uid) is not None:
            self._absorbing.add(uid)

    def has_absorbed(self, uid: RunUid) -> bool:
        """Return whether the run said to us that it took in a message."""
        return uid in self._absorbing

    def said_blocked(self, uid: RunUid, connections: int) -> None:
        """Take note of what an unfinished run has tried in vain so far."""
        if self.unfinished(uid) is not None:
            self._blocked[uid] = max(connections, self._blocked.get(uid, 0))

    def blocked(self, uid: RunUid) -> int:
        """Return what the run's bridge told us so far of what was tried in vain."""
        return self._blocked.get(uid, 0)

    def _forget_finished(self, _: Key, old: Object | None, new: Object | None) -> None:
        if new is None or is_finished_run(new):
            metadata = (new or old or {})["metadata"]
            uid = RunUid(metadata["uid"])
            self._started.pop(uid, None)
            self._absorbing.discard(uid)
            self._blocked.pop(uid, None)


def _uid(run: Object) -> Iterable[str]:
    return [] if is_finished_run(run) else [run["metadata"]["uid"]]


def _owner(pod: Object) -> Iterable[str]:
    return [controller_uid(pod)]


def _namespace(obj: Object) -> Iterable[str]:
    return [obj["metadata"]["namespace"]]


def _key(obj: Object) -> Key:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def _agent_key(run: Object) -> Key:
    return run["metadata"]["namespace"], run["spec"].get("agentRef", "")
