"""The tools of the skill `cluster-reader`: they read pods, runs, jobs, events and logs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from sympozium.contract.resources import AGENT_RUNS, EVENTS, JOBS, PODS, Object, Resource
from sympozium_agent.skills.catalog import (
    EventArguments,
    ListArguments,
    LogArguments,
    PodArguments,
)
from sympozium_agent.skills.kube_api import LIST_LIMIT, ApiServer
from sympozium_agent.skills.table import age, bounded, table

MAX_EVENTS = 50


@dataclass(frozen=True)
class Cluster:
    """What a tool reads from, on behalf of one run.

    Attributes:
        namespace: Used where the arguments name none: that of the run.
        now: Tells the time, aware.
    """

    api: ApiServer
    namespace: str
    now: Callable[[], datetime]

    def namespace_of(self, named: str | msgspec.UnsetType) -> str:
        """Return the namespace that arguments mean."""
        return self.namespace if isinstance(named, msgspec.UnsetType) else named


def list_pods(cluster: Cluster, arguments: ListArguments) -> str:
    """Return a table of pods."""

    def row(pod: Object, now: datetime) -> list[str]:
        statuses = pod.get("status", {}).get("containerStatuses") or []
        restarts = sum(status.get("restartCount", 0) for status in statuses)
        node = pod.get("spec", {}).get("nodeName") or "none"
        return [_name(pod), pod_status(pod), str(restarts), _age(pod, now), node]

    return _listed(cluster, PODS, arguments, ("NAME", "STATUS", "RESTARTS", "AGE", "NODE"), row)


def list_runs(cluster: Cluster, arguments: ListArguments) -> str:
    """Return a table of AgentRuns."""

    def row(run: Object, now: datetime) -> list[str]:
        status = run.get("status") or {}
        reason = (status.get("error") or {}).get("reason", "")
        agent = run.get("spec", {}).get("agentRef", "")
        return [_name(run), status.get("phase") or "Pending", agent, _age(run, now), reason]

    return _listed(
        cluster, AGENT_RUNS, arguments, ("NAME", "STATUS", "AGENT", "AGE", "REASON"), row
    )


def list_jobs(cluster: Cluster, arguments: ListArguments) -> str:
    """Return a table of Jobs."""

    def row(job: Object, now: datetime) -> list[str]:
        status, wanted = job.get("status") or {}, job.get("spec", {}).get("completions", 1)
        done = f"{status.get('succeeded', 0)}/{wanted}"
        return [_name(job), job_status(job), done, _age(job, now)]

    return _listed(cluster, JOBS, arguments, ("NAME", "STATUS", "COMPLETIONS", "AGE"), row)


def get_events(cluster: Cluster, arguments: EventArguments) -> str:
    """Return a table of the newest events."""
    namespace = cluster.namespace_of(arguments.namespace)
    query = {}
    if not isinstance(arguments.object_name, msgspec.UnsetType):
        query["fieldSelector"] = f"involvedObject.name={arguments.object_name}"
    events, _ = cluster.api.list_objects(EVENTS, namespace, **query)
    if not events:
        return f"No events in namespace {namespace!r}."
    events.sort(key=_event_time, reverse=True)
    now = cluster.now()
    rows = []
    for event in events[:MAX_EVENTS]:
        about = event.get("involvedObject") or {}
        name = f"{about.get('kind', '').lower()}/{about.get('name', '')}"
        cells = [event.get("reason", ""), event.get("type", ""), age(_event_time(event), now=now)]
        rows.append([name, *cells, event.get("message", "")])
    text = table(("NAME", "STATUS", "TYPE", "AGE", "MESSAGE"), rows)
    left_out = len(events) - MAX_EVENTS
    return f"{text}\n({left_out} older events are left out)" if left_out > 0 else text


def pod_logs(cluster: Cluster, arguments: LogArguments) -> str:
    """Return the newest log lines of one container."""
    namespace = cluster.namespace_of(arguments.namespace)
    query = {"tailLines": str(arguments.tail_lines)}
    if not isinstance(arguments.container, msgspec.UnsetType):
        query["container"] = arguments.container
    text = cluster.api.get_text(PODS, namespace, arguments.pod, "log", **query)
    return bounded(text, keeps_end=True) or f"No log lines of pod {arguments.pod!r} yet."


def describe_pod(cluster: Cluster, arguments: PodArguments) -> str:
    """Return what there is to know about one pod, without its environment and volumes."""
    namespace = cluster.namespace_of(arguments.namespace)
    pod = cluster.api.get_object(PODS, namespace, arguments.name)
    spec, status, now = pod.get("spec", {}), pod.get("status") or {}, cluster.now()
    lines = [
        f"Pod: {_name(pod)}",
        f"Namespace: {namespace}",
        f"Status: {pod_status(pod)}",
        f"Age: {_age(pod, now)}",
        f"Node: {spec.get('nodeName') or 'none'}",
        f"Service account: {spec.get('serviceAccountName') or 'default'}",
    ]
    lines += [f"Message: {status['message']}"] if status.get("message") else []
    images = {
        container["name"]: container.get("image", "")
        for container in (*(spec.get("initContainers") or ()), *spec.get("containers", ()))
    }
    for state in (
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ):
        name = state.get("name", "")
        restarts = state.get("restartCount", 0)
        lines.append(
            f"Container {name}: {container_state(state)}, {restarts} restarts, "
            f"image {images.get(name, 'unknown')}"
        )
    for condition in status.get("conditions") or ():
        reason = f" ({condition['reason']})" if condition.get("reason") else ""
        lines.append(f"Condition {condition.get('type')}: {condition.get('status')}{reason}")
    return "\n".join(lines)


def pod_status(pod: Object) -> str:
    """Say in a word how a pod is, as `kubectl get pods` does."""
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = pod.get("status") or {}
    if status.get("reason"):
        return str(status["reason"])
    for state in status.get("containerStatuses") or ():
        waiting = (state.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            return str(waiting["reason"])
    phase = str(status.get("phase") or "Unknown")
    return "Completed" if phase == "Succeeded" else phase


def container_state(status: Object) -> str:
    """Say how a container is, with its reason or exit code."""
    state = status.get("state") or {}
    if "running" in state:
        return "running"
    if ended := state.get("terminated"):
        return f"terminated ({ended.get('reason', '')}, exit code {ended.get('exitCode')})"
    return f"waiting ({(state.get('waiting') or {}).get('reason', 'unknown')})"


def job_status(job: Object) -> str:
    """Say in a word how a Job is."""
    status = job.get("status") or {}
    for condition in status.get("conditions") or ():
        is_end = condition.get("type") in {"Complete", "Failed", "Suspended"}
        if is_end and condition.get("status") == "True":
            return str(condition["type"])
    return "Running" if status.get("active") else "Pending"


def _listed(
    cluster: Cluster,
    resource: Resource,
    arguments: ListArguments,
    header: tuple[str, ...],
    row: Callable[[Object, datetime], list[str]],
) -> str:
    namespace = cluster.namespace_of(arguments.namespace)
    query, among = {}, ""
    if not isinstance(arguments.label_selector, msgspec.UnsetType):
        query["labelSelector"] = arguments.label_selector
        among = f" with labels {arguments.label_selector!r}"
    objects, has_more = cluster.api.list_objects(resource, namespace, **query)
    if not objects:
        return f"No {resource.plural} in namespace {namespace!r}{among}."
    now = cluster.now()
    text = table(header, [row(object, now) for object in objects])
    return f"{text}\n(there are more; these are the first {LIST_LIMIT})" if has_more else text


def _name(object: Object) -> str:
    return str(object["metadata"]["name"])


def _age(object: Object, now: datetime) -> str:
    return age(object["metadata"].get("creationTimestamp"), now=now)


def _event_time(event: Any) -> str:
    moment = event.get("lastTimestamp") or event.get("eventTime")
    return moment or event["metadata"].get("creationTimestamp") or ""


HANDLERS: dict[str, Callable[[Cluster, Any], str]] = {
    "list_pods": list_pods,
    "list_runs": list_runs,
    "list_jobs": list_jobs,
    "get_events": get_events,
    "pod_logs": pod_logs,
    "describe_pod": describe_pod,
}
