"""The programs of this machine's system: process, readiness, memory, restarts, uptime."""

import sys
from dataclasses import asdict, dataclass
from typing import Any

from sympozium.contract.errors import SympoziumError
from sympozium.contract.resources import COMPONENT_LABEL, PODS, Object
from sympozium.contract.times import parse_kube_time
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.instance import Instance
from sympozium_local.cli.paths import path_of
from sympozium_local.cli.screen import age, now
from sympozium_local.cli.target import Target
from sympozium_local.system.process import descendants, memory_bytes


@dataclass(frozen=True)
class Line:
    """One program.

    Attributes:
        memory_bytes: Of its process and those below it, unless they are programs of their own.
    """

    name: str
    pid: int
    ready: bool
    memory_bytes: int
    restarts: int
    uptime_s: float


@dataclass(frozen=True)
class LocalStatus:
    """How the system of this machine stands."""

    instance: Instance
    told: Object
    lines: list[Line]

    @property
    def is_ready(self) -> bool:
        """Whether every program is."""
        return bool(self.told.get("ready")) and all(line.ready for line in self.lines)

    def as_object(self) -> Object:
        """Return it as JSON is made of it."""
        home = self.instance.home
        return {
            "ready": self.is_ready,
            "url": self.instance.url,
            "home": str(home.path),
            "kubeconfig": str(home.kubeconfig),
            "model": self.told.get("model", ""),
            "shortfall": self.told.get("shortfall", ""),
            "programs": [asdict(line) for line in self.lines],
        }


def local_status(target: Target, instance: Instance) -> LocalStatus:
    """Look at the processes and, where it answers, at the pods of the embedded cluster."""
    told = instance.status()
    pods = _pods(target.cluster)
    return LocalStatus(instance, told, [*_programs(instance, told, pods), *pods])


def _programs(instance: Instance, told: dict[str, Any], pods: list[Line]) -> list[Line]:
    elsewhere = {pid for pod in pods if pod.pid for pid in [pod.pid, *descendants(pod.pid)]}
    started = float(told.get("started", now()))
    lines = [
        Line("supervisor", instance.pid, True, memory_bytes(instance.pid), 0, now() - started),
    ]
    for one in told.get("programs", ()):
        pid = int(one["pid"])
        uptime_s = now() - float(one["started"]) if pid else 0.0
        ready = bool(pid and one.get("ready"))
        below = set(descendants(pid)) - elsewhere if pid else set()  # the node's runs, say
        memory = sum(map(memory_bytes, {pid, *below})) if pid else 0
        lines.append(Line(one["name"], pid, ready, memory, one["restarts"], uptime_s))
    return lines


def _pods(cluster: Cluster) -> list[Line]:
    """Return the pods of the system, from the cluster; none while it cannot be asked."""
    selector = f"{COMPONENT_LABEL} in (controller,router,channel)"
    try:
        pods = cluster.get(path_of(PODS), labelSelector=selector)["items"]
    except (SympoziumError, OSError):
        return []
    return [
        _pod_line(pod["metadata"], container)
        for pod in pods
        for container in (pod.get("status") or {}).get("containerStatuses") or ()
    ]


def _pod_line(metadata: Object, container: Object) -> Line:
    digits = str(container.get("containerID", "")).rpartition("/")[2]
    running = (container.get("state") or {}).get("running")
    pid = int(digits) if digits.isdigit() and running else 0
    memory = sum(map(memory_bytes, [pid, *descendants(pid)])) if pid else 0
    started = parse_kube_time(running["startedAt"]).timestamp() if running else now()
    return Line(
        f"{metadata['namespace']}/{metadata['name']}",
        pid,
        bool(container.get("ready")),
        memory,
        int(container.get("restartCount", 0)),
        now() - started,
    )


def print_local(status: LocalStatus) -> None:
    """Print it as a table, and where things are."""
    lines, home = status.lines, status.instance.home
    width = max(len(line.name) for line in lines)
    sys.stdout.write(f"{'PROGRAM':<{width}}  {'PID':>8}  READY  MEMORY    RESTARTS  UPTIME\n")
    for line in lines:
        ready = "yes" if line.ready else "no"
        memory = f"{line.memory_bytes / 2**20:.0f} MiB" if line.memory_bytes else "-"
        sys.stdout.write(
            f"{line.name:<{width}}  {line.pid or '-':>8}  {ready:<5}  {memory:<8}  "
            f"{line.restarts:<8}  {age(line.uptime_s)}\n"
        )
    sys.stdout.write(
        f"\nweb chat    {status.instance.url}\nmodel       {status.told.get('model', '')}\n"
        f"kubeconfig  {home.kubeconfig}\nstate       {home.path}\n"
    )
    if shortfall := status.told.get("shortfall"):
        sys.stdout.write(f"WARNING     {shortfall}\n")
