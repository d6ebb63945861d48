"""What to do about one run, decided from what is seen of it and from nothing else."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sympozium.contract.agentrun import AgentRunStatus, Phase
from sympozium.contract.limits import MAX_QUEUED, RUN_LINGERS
from sympozium.contract.reasons import Reason
from sympozium.contract.times import read_kube_time
from sympozium_controller.runs import status as statuses
from sympozium_controller.runs.endings import Ending, Silence
from sympozium_controller.runs.plan import Plan
from sympozium_controller.runs.pod import AGENT_CONTAINER
from sympozium_controller.runs.status import Facts
from sympozium_controller.runs.trouble import (
    Trouble,
    job_trouble,
    loss_trouble,
    lost_at,
    pod_trouble,
    starts_late_at,
)
from sympozium_controller.runs.view import ROOM_FACTOR, JobView, PodView, Run, seconds

SHORT_RUN = timedelta(seconds=5)
"""A run or a wait that is over sooner gets no status write of its own."""

POD_MISSING_AFTER = timedelta(seconds=2)
"""A Job that has no pod for so long is asked why; again after five times as long."""

DEADLINE_SLACK = timedelta(seconds=1)
"""Creation times are cut to whole seconds; a run is never cut short by that."""

LINGER = timedelta(seconds=60)
"""How long the pod of a finished run may take to end by itself."""

STALE_JOB_PATIENCE = timedelta(seconds=30)
"""How long the Job of a deleted run of the same name may take to go."""

_STOPS_AT_ONCE = {
    Reason.CANCELLED.value,
    Reason.CONFIGURATION.value,
    Reason.DEADLINE_EXCEEDED.value,
    Reason.DENIED_BY_POLICY.value,
    Reason.EVICTED.value,
    Reason.IMAGE_PULL.value,
    Reason.NO_CAPACITY.value,
    Reason.NOT_STARTED.value,
    Reason.QUOTA.value,
    Reason.VOLUME_FULL.value,
}
"""Ends whose pod would go on, or wait, for nothing."""


@dataclass(frozen=True)
class CreateJob:
    """Create the run's Job. That it exists already is success."""

    plan: Plan


@dataclass(frozen=True)
class WriteStatus:
    """Write the status, unless the run changed since it was seen."""

    status: AgentRunStatus


@dataclass(frozen=True)
class DeleteJob:
    """Delete the Job and its pod. That it is gone is success."""

    uid: str


@dataclass(frozen=True)
class RemoveJob:
    """Have the Job go some time soon, together with others: all that it tells is on record."""


@dataclass(frozen=True)
class LookAgain:
    """Decide again in so many seconds, if nothing changes before."""

    after_s: float


@dataclass(frozen=True)
class LookAtBus:
    """Ask the bus for the run's ending and for what it did, and decide again with the answer."""


@dataclass(frozen=True)
class LookAtEvents:
    """Ask why the Job has no pod, or why that does not begin, and decide again with the answer."""


@dataclass(frozen=True)
class GiveBack:
    """Delete a Job that may have no pod while a quota is used up; the run waits in line again."""

    uid: str


class QuotaUsedUp:
    """Why a Job has no pod yet, where the end of other runs makes room for it."""


Action = (
    GiveBack
    | CreateJob
    | WriteStatus
    | DeleteJob
    | RemoveJob
    | LookAgain
    | LookAtBus
    | LookAtEvents
)


@dataclass(frozen=True)
class Seen:
    """Everything a decision depends on, but the time.

    Attributes:
        plan: None: the Agent is not there.
        has_predecessor: An earlier run of the same conversation has not ended.
        has_turn: It may start now, as far as others and the limits are concerned.
        waits_since: From when it has waited for its turn.
        leaving: Pods of the Job that were disrupted or deleted.
        ending: What the bus holds; asked for only where it matters.
        has_acted: One of those pods did what must not be done again; None: not asked.
        refusal: Why the Job can have no pod, or why that does not begin; asked as the ending.
        started: When the run said that it started, if it did.
        blocked: What it is known to have tried in vain.
    """

    run: Run
    plan: Plan | None
    job: JobView | None = None
    pod: PodView | None = None
    leaving: tuple[PodView, ...] = ()
    has_predecessor: bool = False
    has_turn: bool = True
    waits_since: datetime | None = None
    ending: Ending | Silence = Silence.NOT_ASKED
    has_acted: bool | None = None
    refusal: Trouble | QuotaUsedUp | Silence = Silence.NOT_ASKED
    started: datetime | None = None
    blocked: int = 0


def next_actions(seen: Seen, *, now: datetime) -> list[Action]:
    """Return what to do about the run at *now*, in order.

    Carrying the actions out and deciding again comes to rest, and writes at
    most one terminal status. A run that is being deleted is left to the garbage
    collector, which takes its Job along.
    """
    if seen.run.is_deleting:
        return []
    if seen.run.is_finished:
        return _tidy(seen, now)
    if isinstance(seen.ending, Ending):
        return [WriteStatus(statuses.ended(_facts_of_ended(seen, now), seen.ending))]
    if seen.run.spec.cancel:
        return _fail(seen, Trouble(Reason.CANCELLED, "spec.cancel was set", now), now)
    if seen.job is None:
        return _start(seen, now)
    if seen.job.owner_uid != seen.run.uid:
        return _wait_for_name(seen, now)
    return _follow(seen, seen.job, now)


def _start(seen: Seen, now: datetime) -> list[Action]:
    """Start the run if it may; if not, whoever sees that it waits wakes it (`WaitingRoom`)."""
    if seen.has_predecessor:
        return []
    if seen.plan is None:
        text = f"Agent {seen.run.spec.agent_ref!r} is not in namespace {seen.run.namespace!r}"
        return _fail(seen, Trouble(Reason.AGENT_NOT_FOUND, text, now), now)
    if not seen.has_turn:
        if now - (seen.waits_since or now) < MAX_QUEUED:
            return []
        text = f"it waited for its turn for {int(MAX_QUEUED.total_seconds())} s"
        return _fail(seen, Trouble(Reason.NO_CAPACITY, text, now), now)
    if seen.ending is Silence.NOT_ASKED and now - seen.run.created >= SHORT_RUN:
        return [LookAtBus()]  # it may have had a Job, which somebody deleted
    return [CreateJob(seen.plan)]


def _follow(seen: Seen, job: JobView, now: datetime) -> list[Action]:
    if seen.leaving and seen.has_acted is None:
        return [LookAtBus()]
    troubles = [_deadline(seen, job), *_troubles(seen, job, now)]
    due = [trouble for trouble in troubles if trouble.since <= now]
    if due:
        if seen.ending is Silence.NOT_ASKED:
            return [LookAtBus()]
        return _fail(seen, due[0], now)
    lost = [moment for pod in seen.leaving if (moment := lost_at(pod)) is not None]
    if any(moment <= now for moment in lost) and not job.is_deleting:
        return [DeleteJob(job.uid)]  # its pod never goes; without it the run begins anew
    asked_at = _asked_at(seen, job)
    if asked_at is not None and seen.refusal is Silence.NOT_ASKED:
        return [LookAtEvents()] if asked_at <= now else [LookAgain(seconds(asked_at - now))]
    if isinstance(seen.refusal, QuotaUsedUp):
        return [GiveBack(job.uid)]
    moments = [trouble.since for trouble in troubles] + [one for one in lost if one > now]
    if asked_at is not None:
        moments.append(now + 5 * POD_MISSING_AFTER)
    actions: list[Action] = []
    started = _started(seen)
    if started is not None and seen.run.status.phase is not Phase.RUNNING:
        if started + SHORT_RUN <= now:
            actions.append(WriteStatus(statuses.running(_facts(seen, now))))
        else:
            moments.append(started + SHORT_RUN)
    return [*actions, LookAgain(seconds(min(moments) - now))]


def _asked_at(seen: Seen, job: JobView) -> datetime | None:
    """Return when to ask why there is no pod, or why it does not begin; None: there is no need."""
    if job.is_finished:
        return None
    if seen.pod is None:
        return job.created + POD_MISSING_AFTER
    return starts_late_at(seen.pod)


def _troubles(seen: Seen, job: JobView, now: datetime) -> list[Trouble]:
    troubles = [
        loss_trouble(seen.leaving, now=now) if seen.has_acted else None,
        pod_trouble(seen.pod, now=now) if seen.pod is not None else None,
        job_trouble(job, seen.pod, now=now),
        seen.refusal if isinstance(seen.refusal, Trouble) else None,
    ]
    return [trouble for trouble in troubles if trouble is not None]


def _deadline(seen: Seen, job: JobView) -> Trouble:
    """Return when the run is too late: it has its time from when there was room for its pod.

    However often it was given another pod, it has no more than the Job has.
    """
    room_since = seen.pod.scheduled if seen.pod is not None else None
    latest = job.created + (ROOM_FACTOR - 1) * job.timeout
    begun = min(max(job.created, room_since or job.created), latest)
    moment = begun + job.timeout + DEADLINE_SLACK
    if seen.pod is not None and seen.pod.is_unschedulable:
        return Trouble(
            Reason.NO_CAPACITY, "no node had room for the pod until the deadline", moment
        )
    if seen.pod is not None and starts_late_at(seen.pod) is not None:
        return Trouble(Reason.NOT_STARTED, "the pod did not begin until the deadline", moment)
    text = f"the run took longer than {int(job.timeout.total_seconds())} s"
    return Trouble(Reason.DEADLINE_EXCEEDED, text, moment)


def _wait_for_name(seen: Seen, now: datetime) -> list[Action]:
    if now - seen.run.created < STALE_JOB_PATIENCE:
        return [LookAgain(1.0)]
    text = f"a Job {seen.run.name!r} exists that is not this run's; delete it or rename the run"
    return [WriteStatus(statuses.failed(_facts(seen, now), Reason.CONFIGURATION, text))]


def _tidy(seen: Seen, now: datetime) -> list[Action]:
    job, status = seen.job, seen.run.status
    if job is None or job.is_deleting or job.owner_uid != seen.run.uid:
        return []
    if job.is_finished:
        return _remove(seen.run, now)
    if seen.leaving or (status.error is not None and status.error.reason in _STOPS_AT_ONCE):
        return [DeleteJob(job.uid)]
    left = _finished_at(seen.run, now) + LINGER - now
    return [DeleteJob(job.uid)] if left <= timedelta(0) else [LookAgain(seconds(left))]


def _remove(run: Run, now: datetime) -> list[Action]:
    if run.spec.cleanup == "keep":
        return []
    left = _finished_at(run, now) + RUN_LINGERS - now
    return [RemoveJob()] if left <= timedelta(0) else [LookAgain(seconds(left))]


def _fail(seen: Seen, trouble: Trouble, now: datetime) -> list[Action]:
    return [WriteStatus(statuses.failed(_facts(seen, now), trouble.reason, trouble.message))]


def _facts(seen: Seen, now: datetime) -> Facts:
    model = seen.job.model if seen.job is not None else ""
    return Facts(
        run=seen.run,
        now=now,
        started=_started(seen),
        model=model or (seen.plan.model.model if seen.plan is not None else ""),
        has_job=seen.job is not None and seen.job.owner_uid == seen.run.uid,
        blocked=seen.blocked,
    )


def _facts_of_ended(seen: Seen, now: datetime) -> Facts:
    """Return the facts of a run that spoke: it has started, even where nobody saw it."""
    facts = _facts(seen, now)
    if facts.started is None and seen.job is not None:
        return replace(facts, started=seen.job.created)
    return facts


def _started(seen: Seen) -> datetime | None:
    agent = seen.pod.container(AGENT_CONTAINER) if seen.pod is not None else None
    return seen.started or (agent.started if agent is not None else None)


def _finished_at(run: Run, now: datetime) -> datetime:
    return read_kube_time(run.status.finished_at) or now
