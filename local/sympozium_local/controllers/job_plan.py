"""What to do about a Job, decided from the Job, its pods and how many ended before."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sympozium.contract.resources import Object
from sympozium.contract.times import kube_time, parse_kube_time
from sympozium_local.controllers.job_counts import Counts, format_indexes, pod_index
from sympozium_local.controllers.pods import (
    created_at,
    ended_at,
    has_ended,
    is_active,
    is_ready,
    is_terminating,
    is_true,
)

FIRST_BACKOFF = timedelta(seconds=10)
MAX_BACKOFF = timedelta(minutes=6)
"""Pause before a failed pod's replacement, doubling.

Source: pkg/controller/job/job_controller.go (DefaultJobPodFailureBackOff).
"""

UNSUPPORTED = ("backoffLimitPerIndex", "maxFailedIndexes", "successPolicy")


@dataclass(frozen=True)
class Note:
    """An event to record on the Job."""

    reason: str
    message: str
    warning: bool = False


@dataclass
class Plan:
    """What to do now.

    Attributes:
        creates: One entry a pod to create: its completion index, or None.
        status: The status the Job should have.
        again_after_s: When time alone will change the plan; None: it will not.
        delete_job: The Job is finished and its time to live is over.
    """

    creates: list[int | None] = field(default_factory=list)
    deletes: list[Object] = field(default_factory=list)
    status: Object = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    again_after_s: float | None = None
    delete_job: bool = False


@dataclass(frozen=True)
class _View:
    """A Job and its pods, sorted by what they are to it."""

    job: Object
    spec: Object
    active: list[Object]
    terminating: list[Object]
    ended: list[Object]
    counts: Counts
    now: datetime

    @property
    def completions(self) -> int | None:
        """How many successes are wanted; None: one, and then whatever still runs."""
        wanted = self.spec.get("completions")
        return None if wanted is None else int(wanted)

    @property
    def replaces_ended_only(self) -> bool:
        """Whether a pod being deleted holds its place until it is over."""
        default = "Failed" if self.spec.get("podFailurePolicy") else "TerminatingOrFailed"
        return bool((self.spec.get("podReplacementPolicy") or default) == "Failed")


def plan_job(job: Object, pods: Iterable[Object], counts: Counts, now: datetime) -> Plan:
    """Return what to do about *job*. *counts* takes in the pods that ended."""
    pods = list(pods)
    view = _View(
        job,
        job["spec"],
        [pod for pod in pods if is_active(pod)],
        [pod for pod in pods if is_terminating(pod) and not has_ended(pod)],
        [pod for pod in pods if has_ended(pod)],
        counts,
        now,
    )
    if is_true(job, "Complete") or is_true(job, "Failed"):
        return _finished(view)
    for pod in view.ended if view.replaces_ended_only else view.ended + view.terminating:
        counts.take(job, pod)
    if note := _failure(view):
        return _end(view, "Failed", note)
    if _is_complete(view):
        return _end(view, "Complete", Note("Completed", "Job completed"))
    if view.spec.get("suspend"):
        return _suspended(view)
    return _running(view)


def _finished(view: _View) -> Plan:
    plan = Plan(deletes=view.active, status=dict(view.job["status"]))
    if not view.active:
        plan.status |= _current(view, [])
        plan.status.pop("active", None)
    ttl = view.spec.get("ttlSecondsAfterFinished")
    if ttl is not None:
        left = _finish_time(view.job) + timedelta(seconds=ttl) - view.now
        plan.delete_job = left <= timedelta(0)
        plan.again_after_s = max(0.0, left.total_seconds())
    return plan


def _finish_time(job: Object) -> datetime:
    for entry in job["status"]["conditions"]:
        if entry["type"] in {"Complete", "Failed"} and entry.get("lastTransitionTime"):
            return parse_kube_time(entry["lastTransitionTime"])
    return created_at(job)


def _failure(view: _View) -> Note | None:
    spec, counts = view.spec, view.counts
    for name in UNSUPPORTED:
        if spec.get(name) is not None:
            return Note("NotSupported", f"spec.{name} is not supported here; leave it out", True)
    if counts.fatal:
        return Note("PodFailurePolicy", counts.fatal, True)
    limit = int(spec.get("backoffLimit", 6))
    if counts.failed > limit or _restarts(view) > limit:
        return Note(
            "BackoffLimitExceeded", "Job has reached the specified backoff limit", warning=True
        )
    deadline = _deadline(view)
    if deadline is not None and deadline <= view.now:
        return Note(
            "DeadlineExceeded", "Job was active longer than specified deadline", warning=True
        )
    return None


def _restarts(view: _View) -> int:
    if view.spec["template"]["spec"].get("restartPolicy") != "OnFailure":
        return 0
    return sum(
        int(entry.get("restartCount", 0))
        for pod in view.active
        for entry in (pod.get("status") or {}).get("containerStatuses") or ()
    )


def _deadline(view: _View) -> datetime | None:
    seconds = view.spec.get("activeDeadlineSeconds")
    if seconds is None or view.spec.get("suspend"):
        return None
    return _start(view) + timedelta(seconds=int(seconds))


def _start(view: _View) -> datetime:
    """Return since when the Job is active; after a suspension, since now."""
    started = (view.job.get("status") or {}).get("startTime")
    if started:
        return parse_kube_time(started)
    return view.now if is_true(view.job, "Suspended") else created_at(view.job)


def _is_complete(view: _View) -> bool:
    if view.completions is not None:
        return view.counts.succeeded >= view.completions
    return view.counts.succeeded > 0 and not view.active and not view.terminating


def _end(view: _View, kind: str, note: Note) -> Plan:
    moment = kube_time(view.now)
    entry = {
        "type": kind,
        "status": "True",
        "lastProbeTime": moment,
        "lastTransitionTime": moment,
        "reason": note.reason if kind == "Failed" else "CompletionsReached",
        "message": note.message
        if kind == "Failed"
        else "Reached expected number of succeeded pods",
    }
    first = {**entry, "type": "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget"}
    status = _counted(view, [*_conditions(view, without=kind), first, entry])
    if kind == "Failed" and (lost := len(view.active) + len(view.terminating)):
        status["failed"] = status.get("failed", 0) + lost
    status["startTime"] = kube_time(_start(view))
    if kind == "Complete":
        status["completionTime"] = moment
    again = view.spec.get("ttlSecondsAfterFinished")
    return Plan(deletes=view.active, status=status, notes=[note], again_after_s=again)


def _suspended(view: _View) -> Plan:
    conditions = _conditions(view, without="Suspended")
    old = [one for one in _conditions(view) if one["type"] == "Suspended"]
    if old and old[0]["status"] == "True":
        entry = old[0]
    else:
        entry = _suspension(view, "True", "JobSuspended", "Job suspended")
    return Plan(deletes=view.active, status=_counted(view, [*conditions, entry]))


def _suspension(view: _View, status: str, reason: str, message: str) -> Object:
    moment = kube_time(view.now)
    return {
        "type": "Suspended",
        "status": status,
        "lastProbeTime": moment,
        "lastTransitionTime": moment,
        "reason": reason,
        "message": message,
    }


def _running(view: _View) -> Plan:
    conditions = _conditions(view)
    if is_true(view.job, "Suspended"):
        entry = _suspension(view, "False", "JobResumed", "Job resumed")
        conditions = [*_conditions(view, without="Suspended"), entry]
    plan = Plan(status=_counted(view, conditions) | {"startTime": kube_time(_start(view))})
    waits: list[float] = []
    missing = _wanted(view) - len(view.active)
    if missing < 0:
        plan.deletes = sorted(view.active, key=lambda pod: (is_ready(pod), _age_s(view, pod)))
        del plan.deletes[-missing:]
    if view.replaces_ended_only:
        missing -= len(view.terminating)
    if missing > 0:
        pause = _pause(view)
        if pause <= timedelta(0):
            plan.creates = _places(view, missing)
        else:
            waits.append(pause.total_seconds())
    deadline = _deadline(view)
    if deadline is not None:
        waits.append((deadline - view.now).total_seconds())
    plan.again_after_s = min(waits, default=None)
    return plan


def _wanted(view: _View) -> int:
    parallelism = int(view.spec.get("parallelism", 1))
    if view.completions is not None:
        return min(parallelism, view.completions - view.counts.succeeded)
    return len(view.active) if view.counts.succeeded else parallelism


def _age_s(view: _View, pod: Object) -> float:
    return (view.now - created_at(pod)).total_seconds()


def _pause(view: _View) -> timedelta:
    failures = view.counts.last_failures
    if not failures:
        return timedelta(0)
    last = max((ended_at(pod) for pod in view.ended), default=view.now - MAX_BACKOFF)
    pause = min(FIRST_BACKOFF * (1 << min(failures - 1, 10)), MAX_BACKOFF)
    return last + pause - view.now


def _places(view: _View, missing: int) -> list[int | None]:
    if view.spec.get("completionMode") != "Indexed":
        return [None] * missing
    holders = view.active + (view.terminating if view.replaces_ended_only else [])
    taken = view.counts.indexes | {pod_index(pod) for pod in holders}
    free = [index for index in range(view.completions or 0) if index not in taken]
    return list(free[:missing])


def _conditions(view: _View, without: str = "") -> list[Object]:
    old = (view.job.get("status") or {}).get("conditions") or []
    return [entry for entry in old if entry["type"] != without]


def _counted(view: _View, conditions: list[Object]) -> Object:
    status: Object = {"conditions": conditions} if conditions else {}
    if view.counts.succeeded:
        status["succeeded"] = view.counts.succeeded
    if view.counts.failed:
        status["failed"] = view.counts.failed
    if view.spec.get("completionMode") == "Indexed":
        status["completedIndexes"] = format_indexes(view.counts.indexes)
    ended = bool(conditions) and conditions[-1]["type"] in {"Complete", "Failed"}
    return status | _current(view, [] if ended or view.spec.get("suspend") else view.active)


def _current(view: _View, active: list[Object]) -> Object:
    now: Object = {
        "ready": sum(1 for pod in active if is_ready(pod)),
        "terminating": len(view.terminating),
        "uncountedTerminatedPods": {},
    }
    return now | ({"active": len(active)} if active else {})
