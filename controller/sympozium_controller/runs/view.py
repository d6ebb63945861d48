"""The parts of AgentRuns, Jobs and pods that decisions are made of, as values.

Objects come as the API server's JSON, with whatever a newer server adds; only
what is read here matters, and a missing part reads as its default.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from sympozium.contract.agentrun import TERMINAL_PHASES, AgentRunSpec, AgentRunStatus
from sympozium.contract.limits import MAX_RUN_TIMEOUT
from sympozium.contract.names import RunName, RunUid
from sympozium.contract.resources import CONVERSATION_LABEL, GROUP, Object
from sympozium.contract.times import parse_kube_time

JOB_SLACK = timedelta(seconds=5)
"""By how much the deadline of a Job is later than that of its run.

The controller ends a run that is late, because it knows whether there ever was room for
it. The Job's own deadline, at which its pods go with all that they say, is for when no
controller is there.
"""

ROOM_FACTOR = 2
"""A pod may wait for room for as long as its run may take; then all of that is left to it."""

TIMEOUT_ANNOTATION = f"{GROUP}/timeout-seconds"
"""On the Job: how long the run may take, from when there is room for its pod."""

_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Run:
    """One AgentRun as last seen."""

    namespace: str
    name: RunName
    uid: RunUid
    created: datetime
    spec: AgentRunSpec
    status: AgentRunStatus = field(default_factory=AgentRunStatus)
    generation: int = 1
    conversation: str = ""
    is_deleting: bool = False

    @property
    def is_finished(self) -> bool:
        """Whether its status is terminal."""
        return self.status.phase in TERMINAL_PHASES


@dataclass(frozen=True)
class JobView:
    """One Job as last seen.

    Attributes:
        timeout: That of its run.
        failure: Reason of its Failed condition; empty while it has none.
    """

    uid: str
    owner_uid: str
    created: datetime
    timeout: timedelta = MAX_RUN_TIMEOUT
    model: str = ""
    is_complete: bool = False
    failure: str = ""
    failure_message: str = ""
    is_deleting: bool = False

    @property
    def is_finished(self) -> bool:
        """Whether the Job controller is done with it."""
        return self.is_complete or bool(self.failure)


@dataclass(frozen=True)
class ContainerView:
    """One container of a pod as last seen.

    Attributes:
        waiting: Why it does not run yet; empty where that is not said.
        terminated: Why it ended (`Completed`, `Error`, `OOMKilled`); empty while it did not.
        started: When its present or last process began.
        ended: When its last process ended, if none runs now.
    """

    name: str
    waiting: str = ""
    message: str = ""
    terminated: str = ""
    exit_code: int = 0
    restarts: int = 0
    started: datetime | None = None
    ended: datetime | None = None
    is_sidecar: bool = False


@dataclass(frozen=True)
class PodView:
    """One pod of a run as last seen.

    Attributes:
        deleted: By when it is to be gone; None: nobody deleted it.
        has_sandbox: Its volumes and its network are there, so that containers may start.
    """

    name: str
    uid: str = ""
    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    created: datetime = _EPOCH
    deleted: datetime | None = None
    has_sandbox: bool = True
    is_unschedulable: bool = False
    scheduled: datetime | None = None
    is_disrupted: bool = False
    containers: tuple[ContainerView, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether no container of it will ever run again."""
        return self.phase in {"Succeeded", "Failed"}

    def container(self, name: str) -> ContainerView | None:
        """Return the container *name*, where its status is known."""
        return next((one for one in self.containers if one.name == name), None)


def read_run(obj: Object) -> Run:
    """Read an AgentRun.

    Raises:
        msgspec.ValidationError: It is not what the schema of the kind allows.
    """
    metadata = obj["metadata"]
    return Run(
        namespace=metadata["namespace"],
        name=RunName(metadata["name"]),
        uid=RunUid(metadata["uid"]),
        created=_time(metadata.get("creationTimestamp")) or _EPOCH,
        spec=msgspec.convert(obj["spec"], AgentRunSpec),
        status=msgspec.convert(obj.get("status") or {}, AgentRunStatus),
        generation=metadata.get("generation", 1),
        conversation=(metadata.get("labels") or {}).get(CONVERSATION_LABEL, ""),
        is_deleting="deletionTimestamp" in metadata,
    )


def is_finished_run(obj: Object) -> bool:
    """Return whether an AgentRun is terminal, without reading the rest of it."""
    return (obj.get("status") or {}).get("phase") in TERMINAL_PHASES


def read_job(obj: Object, *, model_annotation: str) -> JobView:
    """Read a Job."""
    metadata = obj["metadata"]
    true = {
        one["type"]: one
        for one in (obj.get("status") or {}).get("conditions") or []
        if one.get("status") == "True"
    }
    failed = true.get("Failed", {})
    return JobView(
        uid=metadata["uid"],
        owner_uid=controller_uid(obj),
        created=_time(metadata.get("creationTimestamp")) or _EPOCH,
        timeout=_timeout(obj),
        model=(metadata.get("annotations") or {}).get(model_annotation, ""),
        is_complete="Complete" in true,
        failure=failed.get("reason", "Failed") if failed else "",
        failure_message=failed.get("message", ""),
        is_deleting="deletionTimestamp" in metadata,
    )


def _timeout(job: Object) -> timedelta:
    deadline_s = job["spec"].get("activeDeadlineSeconds")
    timeout_s = (job["metadata"].get("annotations") or {}).get(TIMEOUT_ANNOTATION)
    if timeout_s is not None:
        return timedelta(seconds=int(timeout_s))
    return MAX_RUN_TIMEOUT if deadline_s is None else timedelta(seconds=deadline_s) - JOB_SLACK


def read_pod(obj: Object) -> PodView:
    """Read a pod."""
    status = obj.get("status") or {}
    conditions = {one["type"]: one for one in status.get("conditions") or []}
    scheduled = conditions.get("PodScheduled", {})
    sidecars = [
        _container(one, is_sidecar=True) for one in status.get("initContainerStatuses") or []
    ]
    others = [_container(one, is_sidecar=False) for one in status.get("containerStatuses") or []]
    return PodView(
        name=obj["metadata"]["name"],
        uid=obj["metadata"]["uid"],
        phase=status.get("phase", "Pending"),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        created=_time(obj["metadata"].get("creationTimestamp")) or _EPOCH,
        deleted=_time(obj["metadata"].get("deletionTimestamp")),
        has_sandbox=conditions.get("PodReadyToStartContainers", {}).get("status") != "False",
        is_unschedulable=scheduled.get("status") == "False"
        and scheduled.get("reason") == "Unschedulable",
        scheduled=_time(scheduled.get("lastTransitionTime"))
        if scheduled.get("status") == "True"
        else None,
        is_disrupted=conditions.get("DisruptionTarget", {}).get("status") == "True",
        containers=(*sidecars, *others),
    )


def controller_uid(obj: Object) -> str:
    """Return the uid of the object that controls *obj*; empty where none does."""
    owners = obj["metadata"].get("ownerReferences") or []
    return next((one["uid"] for one in owners if one.get("controller")), "")


def seconds(span: timedelta) -> float:
    """Return *span* as a number of seconds that is never negative."""
    return max(span.total_seconds(), 0.0)


_NEVER = "1970-01-01T00:00:00Z"
"""When a kubelet says that a container began whose process could not be started."""


def _container(status: Object, *, is_sidecar: bool) -> ContainerView:
    state = status.get("state") or {}
    waiting = state.get("waiting") or {}
    terminated = state.get("terminated") or {}
    began = (state.get("running") or terminated).get("startedAt")
    return ContainerView(
        name=status["name"],
        waiting=waiting.get("reason", ""),
        message=(waiting or terminated).get("message", ""),
        terminated=terminated.get("reason", "Error") if terminated else "",
        exit_code=terminated.get("exitCode", 0),
        restarts=status.get("restartCount", 0),
        started=_time(began if began != _NEVER else None),
        ended=_time(terminated.get("finishedAt")),
        is_sidecar=is_sidecar,
    )


def _time(text: str | None) -> datetime | None:
    return parse_kube_time(text) if text else None
