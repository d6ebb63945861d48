"""`status`: each program, whether it is ready, what it costs."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sympozium.contract.resources import Object
    from sympozium_local.cli.cluster import Cluster
    from sympozium_local.cli.instance import Instance

AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


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


def status(as_json: AsJson = False) -> None:
    """Show each program: process, readiness, memory, restarts, uptime.

    Exit code: 0 everything is ready, 1 something is not, 3 the system does not run.
    """
    from sympozium_local.cli.instance import need_instance

    instance = need_instance()
    told = instance.status()
    pods = _pods(instance)
    lines = [*_programs(instance, told, pods), *pods]
    is_ready = bool(told.get("ready")) and all(line.ready for line in lines)
    if as_json:
        _print_json(instance, told, lines, is_ready=is_ready)
    else:
        _print_text(instance, told, lines)
    raise typer.Exit(0 if is_ready else 1)


def _programs(instance: "Instance", told: dict[str, Any], pods: list[Line]) -> list[Line]:
    from sympozium_local.cli.screen import now
    from sympozium_local.system.process import descendants, memory_bytes

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


def _pods(instance: "Instance") -> list[Line]:
    """Return the pods of the system, from the cluster; none while it cannot be asked."""
    from sympozium.contract.errors import SympoziumError
    from sympozium_local.cli.cluster import connect

    try:
        return _pod_lines(connect(instance.home.kubeconfig))
    except (SympoziumError, OSError):
        return []


def _pod_lines(cluster: "Cluster") -> list[Line]:
    from sympozium.contract.resources import COMPONENT_LABEL

    selector = f"{COMPONENT_LABEL} in (controller,router,channel)"
    pods = cluster.get("/api/v1/pods", labelSelector=selector)["items"]
    return [
        _pod_line(pod["metadata"], container)
        for pod in pods
        for container in (pod.get("status") or {}).get("containerStatuses") or ()
    ]


def _pod_line(metadata: "Object", container: "Object") -> Line:
    from sympozium.contract.times import parse_kube_time
    from sympozium_local.cli.screen import now
    from sympozium_local.system.process import descendants, memory_bytes

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


def _print_json(
    instance: "Instance", told: dict[str, Any], lines: list[Line], *, is_ready: bool
) -> None:
    import json
    from dataclasses import asdict

    body = {
        "ready": is_ready,
        "url": instance.url,
        "home": str(instance.home.path),
        "kubeconfig": str(instance.home.kubeconfig),
        "model": told.get("model", ""),
        "programs": [asdict(line) for line in lines],
    }
    sys.stdout.write(json.dumps(body, indent=2) + "\n")


def _print_text(instance: "Instance", told: dict[str, Any], lines: list[Line]) -> None:
    from sympozium_local.cli.screen import age

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
        f"\nweb chat    {instance.url}\nmodel       {told.get('model', '')}\n"
        f"kubeconfig  {instance.home.kubeconfig}\nstate       {instance.home.path}\n"
    )
