"""What a pod's status says: a pure reading of what the kubelet knows of its containers."""

from dataclasses import dataclass, field
from datetime import datetime

from sympozium.contract.resources import Object
from sympozium.contract.times import kube_time, parse_kube_time

LOOPBACK = "127.0.0.1"
_KILLED = 137

_OTHERS = {"DisruptionTarget"}
"""Conditions that whoever evicts a pod gives it; they must outlive our next status."""


@dataclass(frozen=True)
class Ended:
    """How one execution of a container ended."""

    exit_code: int
    reason: str
    finished_at: datetime
    started_at: datetime | None = None
    message: str = ""
    pid: int = 0


@dataclass
class ContainerState:
    """What is known of one container; changed by the one who runs it."""

    name: str
    image: str
    is_init: bool = False
    is_sidecar: bool = False
    waiting: str = "PodInitializing"
    """Reason while it neither runs nor has ended for good; "" otherwise."""
    message: str = ""
    """Of *waiting*."""
    running_since: datetime | None = None
    ended: Ended | None = None
    last: Ended | None = None
    restarts: int = 0
    pid: int = 0
    has_started: bool = False
    """Running, and its startup probe has passed."""
    passes_readiness: bool = False

    @property
    def is_ready(self) -> bool:
        """True if it counts for the pod's readiness."""
        if self.is_init and not self.is_sidecar:
            return self.ended is not None and self.ended.exit_code == 0
        return self.has_started and self.passes_readiness

    @property
    def is_settled(self) -> bool:
        """True if there is nothing about to change that a status should wait for."""
        return self.waiting not in {"PodInitializing", "ContainerCreating"} and (
            self.running_since is None or self.has_started
        )


@dataclass
class PodState:
    """What is known of one pod."""

    containers: list[ContainerState] = field(default_factory=list)
    start_time: datetime | None = None
    address: str = LOOPBACK
    is_initialized: bool = False
    is_over: bool = False
    """Nothing runs and nothing will be started again."""
    failure: tuple[str, str] | None = None
    """Reason and message where the pod as a whole was ended."""
    is_suspended: bool = False
    """Ended by the node, which will start it again."""
    is_disrupted: bool = False
    """The node, not the pod, is why it ended."""
    is_unscheduled: bool = False
    """It waits for room on the machine."""

    def phase(self) -> str:
        """Return the pod's phase, as the kubelet's API defines it."""
        if self.failure is not None and self.is_over:
            return "Failed"
        mains = [c for c in self.containers if not c.is_init]
        if self.is_over and not self.is_suspended:
            codes = [c.ended.exit_code if c.ended else 1 for c in mains]
            return "Succeeded" if not any(codes) else "Failed"
        has_run = any(c.running_since or c.ended or c.last for c in mains)
        return "Running" if self.is_initialized and has_run else "Pending"


def pod_status(state: PodState, before: Object, *, now: datetime) -> Object:
    """Return the status to write, given the one that was written *before*."""
    phase = state.phase()
    if state.is_unscheduled and not state.is_over and "startTime" not in before:
        return {"phase": phase, "conditions": [_unscheduled(before, now)]}
    status: Object = {
        "phase": phase,
        "hostIP": LOOPBACK,
        "hostIPs": [{"ip": LOOPBACK}],
        "podIP": state.address,
        "podIPs": [{"ip": state.address}],
        "startTime": before.get("startTime") or kube_time(state.start_time or now),
        "reason": state.failure[0] if state.failure else None,
        "message": state.failure[1] if state.failure else None,
        "conditions": _conditions(state, phase, before, now),
        "containerStatuses": [container_status(c) for c in state.containers if not c.is_init],
    }
    if inits := [container_status(c) for c in state.containers if c.is_init]:
        status["initContainerStatuses"] = inits
    return {key: value for key, value in status.items() if value is not None or key in before}


def container_status(state: ContainerState) -> Object:
    """Return the entry of one container."""
    current: Object
    if state.running_since is not None:
        current = {"running": {"startedAt": kube_time(state.running_since)}}
    elif state.ended is not None:
        current = {"terminated": _terminated(state.ended)}
    else:
        current = {"waiting": {"reason": state.waiting, "message": state.message}}
        if not state.message:
            del current["waiting"]["message"]
    pid = state.pid or (state.ended.pid if state.ended else 0)
    return {
        "name": state.name,
        "image": state.image,
        "imageID": f"process://{state.image}",
        "containerID": f"process://{pid}" if pid else "",
        "ready": state.is_ready,
        "started": state.has_started,
        "restartCount": state.restarts,
        "state": current,
        "lastState": {"terminated": _terminated(state.last)} if state.last else {},
    }


def container_entries(status: Object) -> list[Object]:
    """Return the entries of all containers in a pod's *status*."""
    kinds = ("initContainerStatuses", "containerStatuses")
    return [entry for kind in kinds for entry in status.get(kind) or ()]


def ended_before(entry: Object, now: datetime) -> Ended | None:
    """Return how a container ended that an earlier kubelet wrote *entry* about; None: it did not.

    One that ran then has ended with that kubelet.
    """
    state = entry.get("state") or {}
    if running := state.get("running"):
        since = parse_kube_time(running["startedAt"])
        return Ended(_KILLED, "Error", now, since, "the node's kubelet stopped")
    if old := state.get("terminated"):
        return Ended(
            old["exitCode"],
            old["reason"],
            parse_kube_time(old["finishedAt"]),
            parse_kube_time(old["startedAt"]),
            old.get("message", ""),
            int(old["containerID"].rpartition("/")[2] or 0),
        )
    return None


def _terminated(ended: Ended) -> Object:
    entry: Object = {
        "exitCode": ended.exit_code,
        "reason": ended.reason,
        "finishedAt": kube_time(ended.finished_at),
        "startedAt": kube_time(ended.started_at or ended.finished_at),
        "containerID": f"process://{ended.pid}",
    }
    if ended.message:
        entry["message"] = ended.message
    return entry


def _conditions(state: PodState, phase: str, before: Object, now: datetime) -> list[Object]:
    mains = [c for c in state.containers if not c.is_init or c.is_sidecar]
    unready = [c.name for c in mains if not c.is_ready]
    reason = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "ContainersNotReady")
    message = f"containers with unready status: [{' '.join(unready)}]"
    is_over = phase in {"Succeeded", "Failed"}
    not_ready = (reason, "" if is_over else message)
    is_ready = not unready and phase == "Running"
    has_sandbox = any(c.pid for c in state.containers)
    waiting = [
        c.name for c in state.containers if c.is_init and not c.is_sidecar and not c.is_ready
    ]
    shown = f"containers with incomplete status: [{' '.join(waiting)}]"
    pending = ("ContainersNotInitialized", shown)
    initialized = (reason if phase == "Succeeded" else "", "")
    wanted: list[tuple[str, bool, tuple[str, str]]] = [
        ("PodReadyToStartContainers", has_sandbox, ("", "")),
        ("Initialized", state.is_initialized, initialized if state.is_initialized else pending),
        ("Ready", is_ready, ("", "") if is_ready else not_ready),
        ("ContainersReady", is_ready, ("", "") if is_ready else not_ready),
        ("PodScheduled", True, ("", "")),
    ]
    if state.is_disrupted:
        why = ("TerminationByKubelet", "the node's kubelet stopped while the pod was running")
        wanted.append(("DisruptionTarget", True, why))
    held = {c["type"]: c for c in before.get("conditions") or ()}
    ours = [_condition(held.get(kind), kind, holds, why, now) for kind, holds, why in wanted]
    kinds = {kind for kind, _, _ in wanted}
    return ours + [c for c in held.values() if c["type"] not in kinds]


def with_others(written: Object, seen: Object) -> Object:
    """Return the status that was *written* with the conditions that others gave the pod since."""
    held = written.get("conditions") or []
    kinds = {one["type"] for one in held}
    others = [one for one in seen.get("conditions") or () if one["type"] in _OTHERS - kinds]
    return {**written, "conditions": [*held, *others]} if others else written


def _unscheduled(before: Object, now: datetime) -> Object:
    held = next(iter(before.get("conditions") or ()), None)
    why = ("Unschedulable", "0/1 nodes are available: 1 has no room for what the pod asks for.")
    return _condition(held, "PodScheduled", False, why, now)


def _condition(
    held: Object | None, kind: str, holds: bool, why: tuple[str, str], now: datetime
) -> Object:
    value = "True" if holds else "False"
    changed = held is None or held["status"] != value
    since = kube_time(now) if held is None or changed else held["lastTransitionTime"]
    condition = {"type": kind, "status": value, "lastTransitionTime": since}
    reason, message = why
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition
