"""What a pod's and a Job's status say about why no answer will come."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sympozium.contract.reasons import Reason
from sympozium_controller.runs.pod import AGENT_CONTAINER
from sympozium_controller.runs.view import ContainerView, JobView, PodView

IMAGE_PULL_GRACE = timedelta(seconds=20)
"""A registry may hiccup; a wrong name does not get better."""

START_LOOK_AFTER = timedelta(seconds=10)
"""A pod that has a node, and neither volumes nor a network after so long, is asked why."""

START_GRACE = timedelta(seconds=45)
"""So long a kubelet may try to give a pod its volumes, its network and its containers."""

LOST_GRACE = timedelta(seconds=15)
"""A pod that is there so long after it should have gone is on a node that does not answer."""

CONFIGURATION_GRACE = timedelta(seconds=5)
"""A Secret applied together with the run may come a moment after it."""

FLUSH_GRACE = timedelta(seconds=12)
"""An agent has ended; its bridge gets this long to hand over what the agent wrote."""

MAX_SIDECAR_RESTARTS = 4
"""A sidecar that ended more often than this is not coming up."""

MAX_SAID_CHARS = 300
"""Of a kubelet's message: enough to name the image or the Secret."""

EXIT_CONFIGURATION = 78
"""Exit code by which our programs say that their settings are wrong (EX_CONFIG)."""

_NO_ROOM = "OutOf"
"""Begins the reasons for which a kubelet refuses a pod: `OutOfcpu`, `OutOfmemory`.

Source: k8s.io/kubernetes/pkg/kubelet/lifecycle/predicate.go
"""

_OVER_ITS_SIZE = (
    "Usage of EmptyDir volume",
    "exceeded its local ephemeral storage limit",
    "Pod ephemeral local storage usage exceeds",
)
"""Parts of what a kubelet says of a pod that it evicts for what the pod has written itself.

Source: k8s.io/kubernetes/pkg/kubelet/eviction/helpers.go
"""

_TAKEN_AWAY = {"Evicted", "Preempting", "Terminated", "NodeShutdown", "NodeLost"}
_NEVER_RAN = {"StartError", "ContainerCannotRun"}
_IMAGE_REASONS = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"}
_NOT_CONFIGURED = "CreateContainerConfigError"
_NOT_MADE = {"CreateContainerError", "RunContainerError"}
_PASSES = "failed to sync "
"""Begins what a kubelet says of a Secret or ConfigMap that it could not ask for until now.

Source: k8s.io/kubernetes/pkg/kubelet/util/manager/watch_based_manager.go
"""


@dataclass(frozen=True)
class Trouble:
    """Why a run will not answer.

    Attributes:
        message: For the operator: which container, what the kubelet says.
        since: It counts from this moment; until then it may pass by itself.
    """

    reason: Reason
    message: str
    since: datetime


def pod_trouble(pod: PodView, *, now: datetime) -> Trouble | None:
    """Return what keeps *pod* from answering, or None while it may still do so.

    A pod that was disrupted (evicted, preempted, drained) is no trouble as such:
    its Job makes another one.
    """
    if pod.is_disrupted:
        return None
    return next((_troubles(pod, now)), None)


def loss_trouble(pods: Iterable[PodView], *, now: datetime) -> Trouble | None:
    """Return why a run that called a tool in one of *pods*, which are leaving, does not go on."""
    for pod in pods:
        since = lost_at(pod)
        if pod.is_disrupted and pod.has_ended:
            since = now
        if since is not None:
            text = f"pod {pod.name} was taken away after it had called a tool"
            return Trouble(Reason.EVICTED, text, since)
    return None


def lost_at(pod: PodView) -> datetime | None:
    """Return from when a pod that does not go counts as lost; None: it has ended, or stays."""
    return None if pod.has_ended or pod.deleted is None else pod.deleted + LOST_GRACE


def starts_late_at(pod: PodView) -> datetime | None:
    """Return when to ask why a pod has a node and no sandbox; None: it has one, or no node."""
    if pod.has_sandbox or pod.has_ended or pod.scheduled is None or pod.deleted is not None:
        return None
    return pod.scheduled + START_LOOK_AFTER


def job_trouble(job: JobView, pod: PodView | None, *, now: datetime) -> Trouble | None:
    """Return why a Job that the Job controller is done with has no answer."""
    if job.is_complete:
        text = "the pod ended and left no answer"
        return Trouble(Reason.AGENT_CRASHED, text, now)
    if not job.failure:
        return None
    if job.failure == "DeadlineExceeded":
        return Trouble(Reason.DEADLINE_EXCEEDED, "the Job was active longer than allowed", now)
    if pod is not None and (pod.is_disrupted or pod.reason == "Evicted"):
        return _eviction(pod, now)
    if pod is None:
        return Trouble(Reason.EVICTED, "the pod is gone; nothing says why", now)
    seen = next(_troubles(pod, now), None)
    if seen is not None:
        return replace(seen, since=now)
    return Trouble(Reason.AGENT_CRASHED, job.failure_message or job.failure, now)


def _eviction(pod: PodView, now: datetime) -> Trouble:
    if any(part in pod.message for part in _OVER_ITS_SIZE):
        said = pod.message[:MAX_SAID_CHARS]
        return Trouble(Reason.VOLUME_FULL, f"pod {pod.name} was evicted: {said}", now)
    return Trouble(Reason.EVICTED, f"pod {pod.name} was evicted", now)


def _troubles(pod: PodView, now: datetime) -> Iterator[Trouble]:
    if pod.reason == "Evicted":
        yield _eviction(pod, now)
    for container in pod.containers:
        if container.waiting:
            yield from _waiting_troubles(container, pod, now)
    agent = pod.container(AGENT_CONTAINER)
    if agent is not None and agent.terminated:
        since = now if pod.has_ended else (agent.ended or now) + FLUSH_GRACE
        yield _agent_trouble(agent, since)
    elif pod.has_ended:
        text = f"pod {pod.name} ended without an answer: {pod.reason or pod.phase}"
        yield Trouble(_reason_of_end(pod), text, now)


def _reason_of_end(pod: PodView) -> Reason:
    """Return why a pod ended of whose agent nothing is said."""
    if pod.reason.startswith(_NO_ROOM):
        return Reason.NO_CAPACITY
    if pod.reason in _TAKEN_AWAY:
        return Reason.EVICTED
    return Reason.NOT_STARTED if pod.reason else Reason.AGENT_CRASHED


def _waiting_troubles(container: ContainerView, pod: PodView, now: datetime) -> Iterator[Trouble]:
    said = f"container {container.name}: {container.waiting}"
    said += f": {container.message[:MAX_SAID_CHARS]}" if container.message else ""
    if container.waiting in _IMAGE_REASONS:
        yield Trouble(Reason.IMAGE_PULL, said, pod.created + IMAGE_PULL_GRACE)
    elif container.waiting == _NOT_CONFIGURED and not container.message.startswith(_PASSES):
        yield Trouble(Reason.CONFIGURATION, said, pod.created + CONFIGURATION_GRACE)
    elif container.waiting in {_NOT_CONFIGURED, *_NOT_MADE}:
        yield Trouble(Reason.NOT_STARTED, said, pod.created + START_GRACE)
    elif container.waiting == "CrashLoopBackOff" and container.restarts > MAX_SIDECAR_RESTARTS:
        text = f"container {container.name} ended {container.restarts} times"
        yield Trouble(Reason.INTERNAL, text, now)


def _agent_trouble(agent: ContainerView, since: datetime) -> Trouble:
    if agent.terminated == "OOMKilled":
        return Trouble(Reason.OUT_OF_MEMORY, "the agent needed more memory than its limit", since)
    if agent.terminated in _NEVER_RAN:
        said = agent.message[:MAX_SAID_CHARS]
        return Trouble(Reason.NOT_STARTED, f"the agent could not be started: {said}", since)
    if agent.exit_code == EXIT_CONFIGURATION:
        return Trouble(Reason.CONFIGURATION, "the agent's settings are wrong; see its log", since)
    text = f"the agent ended without an answer: {agent.terminated}, exit code {agent.exit_code}"
    return Trouble(Reason.AGENT_CRASHED, text, since)
