"""The programs of a system in a cluster: their Deployments, pods, and why one is not ready."""

import sys
from dataclasses import asdict, dataclass, field

from sympozium.contract.errors import SympoziumError
from sympozium.contract.resources import (
    COMPONENT_LABEL,
    DEPLOYMENTS,
    PART_OF_LABEL,
    Object,
    Resource,
)
from sympozium.contract.times import parse_kube_time
from sympozium.kube.errors import ForbiddenError, NotFoundError
from sympozium_local.cli.paths import SYSTEM_NAMESPACE_VARIABLE, path_of, system_namespace
from sympozium_local.cli.pods import pods_with
from sympozium_local.cli.refusals import INSTALL, NotInstalledError
from sympozium_local.cli.screen import age, now
from sympozium_local.cli.table import print_table
from sympozium_local.cli.target import Target
from sympozium_local.kubelet.quantity import parse_quantity

NO_PODS = "it has no pods"
_STATEFUL_SETS = Resource("apps", "v1", "statefulsets", "StatefulSet")
_POD_METRICS = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics")


@dataclass(frozen=True)
class Program:
    """A Deployment or a StatefulSet.

    Attributes:
        why: Why it is not ready, as far as its pods say; empty where it is.
        memory_bytes: Of all its pods; 0: not known.
    """

    name: str
    ready: int
    wanted: int
    restarts: int
    memory_bytes: int
    uptime_s: float
    why: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether as many pods as are wanted are ready."""
        return self.ready >= self.wanted


@dataclass(frozen=True)
class ClusterStatus:
    """How the system of a cluster stands.

    Attributes:
        unseen: What the caller may not look at.
        unmeasured: Why memory is not known; empty where it is.
    """

    title: str
    programs: list[Program]
    unseen: list[str] = field(default_factory=list)
    unmeasured: str = ""

    @property
    def remarks(self) -> list[str]:
        """What is not known, and why."""
        return [*self.unseen, *filter(None, [self.unmeasured])]

    @property
    def is_ready(self) -> bool:
        """Whether every program is."""
        return all(program.is_ready for program in self.programs)

    def as_object(self) -> Object:
        """Return it as JSON is made of it."""
        programs = [asdict(one) | {"is_ready": one.is_ready} for one in self.programs]
        return {
            "ready": self.is_ready,
            "cluster": self.title,
            "programs": programs,
            "remarks": self.remarks,
        }


def cluster_status(target: Target) -> ClusterStatus:
    """Look at the programs of the system's namespace, and at the channels of all that are seen.

    Raises:
        NotInstalledError: There are none.
        ForbiddenError: The caller may look at nothing of them.
    """
    unseen: list[str] = []
    found = _of_the_system(target, unseen)
    found += _channels(target, unseen)
    if not found and len(unseen) > 1:  # neither may be looked at
        raise ForbiddenError(f"cannot say how {target.title} stands: {'; '.join(unseen)}")
    memory, unmeasured = _memory(target, {one["metadata"]["namespace"] for one in found})
    programs = [_program(target, one, memory) for one in found]
    return ClusterStatus(target.title, programs, unseen, unmeasured)


def print_status(status: ClusterStatus) -> None:
    """Print it as a table, and what could not be looked at."""
    heading = ("PROGRAM", "READY", "MEMORY", "RESTARTS", "UPTIME", "WHY")
    print_table([heading, *map(_row, status.programs)])
    sys.stdout.write(f"\ncluster     {status.title}\n")
    for remark in status.remarks:
        sys.stdout.write(f"            {remark}\n")


def _row(program: Program) -> tuple[str, ...]:
    memory = f"{program.memory_bytes / 2**20:.0f} MiB" if program.memory_bytes else "-"
    return (
        program.name,
        f"{program.ready}/{program.wanted}",
        memory,
        str(program.restarts),
        age(program.uptime_s),
        program.why,
    )


def _of_the_system(target: Target, unseen: list[str]) -> list[Object]:
    namespace, selector = system_namespace(), f"{PART_OF_LABEL}=sympozium"
    try:
        found = [
            one
            for kind in (DEPLOYMENTS, _STATEFUL_SETS)
            for one in _listed(target, kind, namespace, selector)
        ]
    except ForbiddenError as error:
        unseen.append(f"programs of the system: {error}")
        return []
    if not found:
        raise NotInstalledError(
            f"cannot find Sympozium in namespace {namespace!r} of {target.title}; where it is in "
            f"another, set {SYSTEM_NAMESPACE_VARIABLE}; else install it: {INSTALL}"
        )
    return found


def _channels(target: Target, unseen: list[str]) -> list[Object]:
    selector = f"{COMPONENT_LABEL}=channel"
    try:
        return _listed(target, DEPLOYMENTS, "", selector)
    except ForbiddenError:
        place = target.namespace
        unseen.append(f"channels: only those of namespace {place!r}; you may not see others")
    try:
        return _listed(target, DEPLOYMENTS, place, selector)
    except ForbiddenError as error:
        unseen[-1] = f"channels: {error}"
        return []


def _listed(target: Target, kind: Resource, namespace: str, selector: str) -> list[Object]:
    items: list[Object] = target.cluster.get(path_of(kind, namespace), labelSelector=selector)[
        "items"
    ]
    return items


def _program(target: Target, workload: Object, memory: dict[str, int]) -> Program:
    metadata, spec = workload["metadata"], workload["spec"]
    namespace = metadata["namespace"]
    pods = pods_with(target.cluster, namespace, spec["selector"].get("matchLabels") or {})
    ready = int((workload.get("status") or {}).get("readyReplicas", 0))
    wanted = int(spec.get("replicas", 1))
    statuses = [one for pod in pods for one in container_statuses(pod)]
    created = parse_kube_time(metadata["creationTimestamp"]).timestamp()
    return Program(
        f"{namespace}/{metadata['name']}",
        ready,
        wanted,
        sum(int(one.get("restartCount", 0)) for one in statuses),
        sum(memory.get(f"{namespace}/{pod['metadata']['name']}", 0) for pod in pods),
        now() - created,
        "" if ready >= wanted else why_not_ready(pods),
    )


def container_statuses(pod: Object) -> list[Object]:
    """Return what a pod says of its containers, those that prepare it first."""
    status = pod.get("status") or {}
    return [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]


def why_not_ready(pods: list[Object]) -> str:
    """Return the first reason that pods give for not being ready."""
    if not pods:
        return NO_PODS
    for pod in pods:
        for one in container_statuses(pod):
            waiting = (one.get("state") or {}).get("waiting")
            if waiting and waiting.get("reason") != "PodInitializing":
                return f"{one['name']}: {waiting.get('reason', 'it waits')}"
        for condition in (pod.get("status") or {}).get("conditions") or ():
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                return f"{condition.get('reason')}: {condition.get('message', '')}"
    return "its pods have begun and are not ready"


def _memory(target: Target, namespaces: set[str]) -> tuple[dict[str, int], str]:
    """Return the memory of pods by "namespace/name", or why it is not known."""
    found: dict[str, int] = {}
    for namespace in sorted(namespaces):
        try:
            items = target.cluster.get(path_of(_POD_METRICS, namespace))["items"]
        except NotFoundError:
            return found, "memory: this cluster has no metrics API (install metrics-server)"
        except SympoziumError as error:
            return found, f"memory: {error}"
        for one in items:
            usage = [container["usage"]["memory"] for container in one["containers"]]
            found[f"{namespace}/{one['metadata']['name']}"] = int(sum(map(parse_quantity, usage)))
    return found, ""
