"""Who may have a Job now: as many as the limits and the cluster take, in a fair order.

How large a cluster is, nobody tells us. So we do not hand over everything at once: only
so many runs may be starting at a time, and whoever else waits does so here, where
a newcomer of another namespace can still go before. Nothing of it is stored: a
controller that starts finds who is at work and who waits in the objects.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sympozium.contract.names import RunUid
from sympozium.contract.resources import RUN_LABEL, Object
from sympozium.contract.times import parse_kube_time
from sympozium.kube.informer import Key
from sympozium_controller.measures import WAITING
from sympozium_controller.runs.observe import RunCache
from sympozium_controller.runs.pod import AGENT_CONTAINER
from sympozium_controller.runs.turns.conversations import conversation_of, sequence_of
from sympozium_controller.runs.turns.line import Line, Ticket
from sympozium_controller.runs.turns.pace import Pace
from sympozium_controller.runs.view import PodView, controller_uid, is_finished_run, read_pod
from sympozium_controller.settings import Limits

STARTING_WHEN_FULL = 4
"""Runs that may be starting while the cluster says of one of them that it has no room for it."""

RESERVED = 2
"""Beyond all that may be starting, for namespaces that have nothing at work."""

STARTING_PATIENCE_S = 10.0
"""A pod that has a node and does not start in this time keeps nobody else from starting."""

QUOTA_REST_S = 10.0
"""How often one more run is tried in a namespace whose quota was used up."""

_NOT_STUCK = {"", "ContainerCreating", "PodInitializing"}


class WaitsFor(StrEnum):
    """What a run waits for, as its condition says."""

    EARLIER_MESSAGES = "EarlierMessages"
    CAPACITY = "Capacity"
    AGENT_LIMIT = "AgentLimit"
    NAMESPACE_LIMIT = "NamespaceLimit"
    SYSTEM_LIMIT = "SystemLimit"
    QUOTA = "Quota"


@dataclass
class _Quota:
    """What a namespace was seen to have room for, when its quota refused one more.

    Attributes:
        step: By how much the next trial goes beyond it; it doubles while nothing is refused.
    """

    limit: int
    again_at: float
    step: int = 1


class Turns:
    """Gives turns to runs. Everything is done in the loop's task and never waits."""

    def __init__(self, cache: RunCache, limits: Limits, wake: Callable[[Key], None]) -> None:
        self._cache = cache
        self._limits = limits
        self._wake = wake
        self._line = line = Line(self._limit_of)
        WAITING.follow(lambda: len(line))
        self._pace = Pace()
        self._starting: dict[Key, float] = {}
        self._unschedulable: set[Key] = set()
        self._quotas: dict[str, _Quota] = {}
        self._is_open = False
        cache.runs.listen(self._run_changed)
        cache.jobs.listen(self._job_changed)
        cache.pods.listen(self._pod_changed)
        cache.agents.listen(self._agent_changed)
        cache.listen_to_starts(self._started)

    def open(self) -> None:
        """Begin with what the copies hold, which must be complete: the oldest stand first."""
        self._is_open = True
        unfinished = [run for run in self._cache.runs.all() if not is_finished_run(run)]
        for run in sorted(unfinished, key=_age):
            ticket = ticket_of(run)
            if self._has_job(run):
                self._line.take(ticket)
                self._starting[ticket.key] = _monotonic()
                for pod in self._pods_of(ticket.key):
                    self._look_at(ticket.key, read_pod(pod))
                if self._cache.started(RunUid(_uid(run))) or self._has_agent(ticket.key):
                    self._starting.pop(ticket.key, None)
            elif not self._cache.conversations.before(run) and not run["spec"].get("cancel"):
                self._line.wait(ticket)
        self._give()

    def may_start(self, run: Object) -> bool:
        """Return whether a run that nothing else holds back may have its Job now.

        If not, it stands in line, and is woken when its turn has come. It keeps a turn
        until it ends, its Job goes, or it gives it back.
        """
        ticket = ticket_of(run)
        if not self._line.is_active(ticket.key):
            self._line.wait(ticket)
            self._give(asking=ticket.key)
        return self._line.is_active(ticket.key)

    def leave(self, key: Key) -> None:
        """Know nothing of a run any more, which has ended or waits for something else."""
        self._starting.pop(key, None)
        self._unschedulable.discard(key)
        self._line.drop(key)
        self._give()

    def give_back(self, run: Object) -> None:
        """Take back a turn that the quota of the run's namespace does not allow now."""
        ticket = ticket_of(run)
        self._starting.pop(ticket.key, None)
        self._line.drop(ticket.key)
        limit = self._line.at_work(ticket.namespace)
        self._quotas[ticket.namespace] = _Quota(limit, _monotonic() + QUOTA_REST_S)
        self._line.limit_changed(ticket.namespace)
        self._line.wait(ticket)
        self._give()

    def tend(self) -> None:
        """Go on with what only time brings; to be called every second while somebody waits."""
        now = _monotonic()
        for namespace in [name for name, one in self._quotas.items() if one.again_at <= now]:
            self._try_more(namespace, now)
        for key, since in list(self._starting.items()):
            if since + STARTING_PATIENCE_S > now:
                break
            del self._starting[key]
            pods = [read_pod(pod) for pod in self._pods_of(key)]
            if not pods or key in self._unschedulable:
                self._starting[key] = now
        self._give()

    def upcoming(self, limit: int) -> list[Key]:
        """Return the first *limit* of those who stand in line, in their order."""
        order = self._line.upcoming()
        return [ticket.key for ticket, _ in zip(order, range(limit), strict=False)]

    def waits_for(self, key: Key) -> WaitsFor:
        """Return what keeps a run that stands in line from its turn."""
        held = self._line.held_back(key)
        if held is None:
            return WaitsFor.CAPACITY
        if held[0] in self._quotas and not held[1]:
            return WaitsFor.QUOTA
        return _HELD_BY[bool(held[0]), bool(held[1])]

    def _give(self, *, asking: Key | None = None) -> None:
        while self._is_open:
            starting, room = len(self._starting), self._room()
            if starting >= room + RESERVED:
                return
            ticket = self._line.next(if_idle=starting >= room)
            if ticket is None:
                return
            self._starting[ticket.key] = _monotonic()
            if ticket.key != asking:
                self._wake(ticket.key)

    def _room(self) -> int:
        """Return how many runs may be starting now."""
        return STARTING_WHEN_FULL if self._unschedulable else self._pace.window

    def _limit_of(self, namespace: str, agent: str) -> int | None:
        if not namespace:
            return self._limits.total
        if not agent:
            quota = self._quotas.get(namespace)
            limits = (self._limits.per_namespace, quota.limit if quota else None)
            return min((limit for limit in limits if limit is not None), default=None)
        found = self._cache.agents.get(namespace, agent)
        limit: int | None = found["spec"].get("maxConcurrent") if found else None
        return limit

    def _try_more(self, namespace: str, now: float) -> None:
        quota = self._quotas[namespace]
        if self._line.waiting_in(namespace):
            quota.limit = self._line.at_work(namespace) + quota.step
            quota.step, quota.again_at = 2 * quota.step, now + QUOTA_REST_S
        else:
            del self._quotas[namespace]
        self._line.limit_changed(namespace)

    def _run_changed(self, key: Key, old: Object | None, new: Object | None) -> None:
        is_over = new is None or is_finished_run(new)
        is_another = old is not None and new is not None and _uid(old) != _uid(new)
        if self._is_open and (is_over or is_another):
            self.leave(key)

    def _job_changed(self, key: Key, _old: Object | None, new: Object | None) -> None:
        run = self._cache.runs.get(*key)
        if not self._is_open or run is None or is_finished_run(run):
            return
        if new is None:
            self.leave(key)
        elif self._has_job(run) and not self._line.is_active(key):
            self._line.take(ticket_of(run))
            self._starting[key] = _monotonic()

    def _pod_changed(self, _: Key, _old: Object | None, new: Object | None) -> None:
        if new is None:
            return
        metadata = new["metadata"]
        key = (metadata["namespace"], metadata["labels"].get(RUN_LABEL, ""))
        if key in self._starting:
            self._look_at(key, read_pod(new))
            self._give()

    def _look_at(self, key: Key, pod: PodView) -> None:
        if is_past_starting(pod):
            self._starting.pop(key, None)
            self._unschedulable.discard(key)
        elif pod.is_unschedulable:
            self._unschedulable.add(key)
            self._pace.refused()
        else:
            self._unschedulable.discard(key)

    def _started(self, key: Key) -> None:
        was_full = len(self._starting) >= self._pace.window
        since = self._starting.pop(key, None)
        if since is not None:
            self._pace.started(since, _monotonic(), was_full=was_full)
            self._unschedulable.discard(key)
            self._give()

    def _agent_changed(self, key: Key, _old: Object | None, _new: Object | None) -> None:
        self._line.limit_changed(*key)
        self._give()

    def _has_job(self, run: Object) -> bool:
        metadata = run["metadata"]
        job = self._cache.jobs.get(metadata["namespace"], metadata["name"])
        return job is not None and controller_uid(job) == metadata["uid"]

    def _has_agent(self, key: Key) -> bool:
        """Return whether the agent of a run is known to have been started."""
        agents = [read_pod(pod).container(AGENT_CONTAINER) for pod in self._pods_of(key)]
        return any(agent is not None and agent.started is not None for agent in agents)

    def _pods_of(self, key: Key) -> list[Object]:
        job = self._cache.jobs.get(*key)
        return [] if job is None else self._cache.pods.by_index("job-uid", job["metadata"]["uid"])


_HELD_BY: dict[tuple[bool, bool], WaitsFor] = {
    (False, False): WaitsFor.SYSTEM_LIMIT,
    (True, False): WaitsFor.NAMESPACE_LIMIT,
    (True, True): WaitsFor.AGENT_LIMIT,
}


def ticket_of(run: Object) -> Ticket:
    """Return where a run stands among others."""
    metadata = run["metadata"]
    sequence = sequence_of(run)
    order = int(_created(run).timestamp()) if sequence is None else sequence
    return Ticket(
        key=(metadata["namespace"], metadata["name"]),
        agent=run["spec"].get("agentRef", ""),
        conversation=conversation_of(run) if sequence is not None else "",
        order=(order, metadata["name"]),
    )


def is_past_starting(pod: PodView) -> bool:
    """Return whether a pod keeps no other from starting: it has ended, or has its own trouble.

    That its run has started is said by the run.
    """
    return pod.has_ended or any(one.waiting not in _NOT_STUCK for one in pod.containers)


def _age(run: Object) -> tuple[datetime, int, str]:
    return _created(run), sequence_of(run) or 0, run["metadata"]["name"]


def _created(run: Object) -> datetime:
    return parse_kube_time(run["metadata"]["creationTimestamp"])


def _uid(obj: Object) -> str:
    uid: str = obj["metadata"]["uid"]
    return uid


def _monotonic() -> float:
    return asyncio.get_running_loop().time()
