"""How a pod is doing, in the words of the READY, STATUS and RESTARTS columns."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sympozium_local.apiserver.relative_time import age
from sympozium_local.apiserver.resource import Object

_WAITS = "PodInitializing"


def _spec(pod: Object) -> Object:
    spec: Object = pod.get("spec") or {}
    return spec


def _status(pod: Object) -> Object:
    status: Object = pod.get("status") or {}
    return status


def _sidecars(pod: Object) -> set[str]:
    containers = _spec(pod).get("initContainers") or ()
    return {one["name"] for one in containers if one.get("restartPolicy") == "Always"}


def _state(container: Object, name: str) -> Object | None:
    state: Object | None = (container.get("state") or {}).get(name)
    return state


def _has_condition(pod: Object, type_: str) -> bool:
    conditions = _status(pod).get("conditions") or ()
    return any(one.get("type") == type_ and one.get("status") == "True" for one in conditions)


def _ended(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _initializing(pod: Object) -> str:
    """Return what a pod that is still initializing waits for; empty when it is not."""
    sidecars = _sidecars(pod)
    for index, container in enumerate(_status(pod).get("initContainerStatuses") or ()):
        terminated, waiting = _state(container, "terminated"), _state(container, "waiting")
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if container["name"] in sidecars and container.get("started"):
            continue
        if terminated is not None:
            return f"Init:{_ended(terminated)}"
        if waiting and waiting.get("reason") not in {None, "", _WAITS}:
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{len(_spec(pod).get('initContainers') or ())}"
    return ""


def _is_initialized(pod: Object) -> bool:
    return not _initializing(pod) or _has_condition(pod, "Initialized")


def _is_ready(container: Object) -> bool:
    return bool(container.get("ready")) and _state(container, "running") is not None


def pod_ready(pod: Object) -> str:
    """Return how many of how many containers are ready."""
    sidecars = _sidecars(pod)
    ready = sum(
        bool(one.get("started") and one.get("ready"))
        for one in _status(pod).get("initContainerStatuses") or ()
        if one["name"] in sidecars
    )
    if _is_initialized(pod):
        ready += sum(map(_is_ready, _status(pod).get("containerStatuses") or ()))
    return f"{ready}/{len(_spec(pod).get('containers') or ()) + len(sidecars)}"


def pod_status(pod: Object) -> str:
    """Return the one word that says most about a pod."""
    status = _status(pod)
    phase = str(status.get("phase", ""))
    if pod["metadata"].get("deletionTimestamp") and phase not in {"Succeeded", "Failed"}:
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    shown = str(status.get("reason") or phase)
    if any(one.get("reason") == "SchedulingGated" for one in status.get("conditions") or ()):
        shown = "SchedulingGated"
    return _containers_status(pod, shown) if _is_initialized(pod) else _initializing(pod)


def _containers_status(pod: Object, shown: str) -> str:
    failed, is_running = "", False
    for container in reversed(_status(pod).get("containerStatuses") or ()):
        terminated, waiting = _state(container, "terminated"), _state(container, "waiting")
        if waiting and waiting.get("reason"):
            shown = str(waiting["reason"])
        elif terminated is not None:
            shown = _ended(terminated)
            failed = shown if terminated.get("exitCode") else failed
        elif _is_ready(container):
            is_running = True
    if shown != "Completed":
        return shown
    if is_running and _has_condition(pod, "Ready"):
        return "Running"
    return failed or ("NotReady" if is_running else shown)


def pod_restarts(pod: Object, now: datetime) -> str:
    """Return how often containers were restarted, and when the last time was."""
    counted = list(_counted(pod))
    restarts = sum(one.get("restartCount", 0) for one in counted)
    ends: list[Any] = [
        ((one.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for one in counted
    ]
    last = max(filter(None, ends), default=None)
    return f"{restarts} ({age(last, now)} ago)" if restarts and last else str(restarts)


def _counted(pod: Object) -> Iterator[Object]:
    status, sidecars = _status(pod), _sidecars(pod)
    is_initialized = _is_initialized(pod)
    for container in status.get("initContainerStatuses") or ():
        if not is_initialized or container["name"] in sidecars:
            yield container
    if is_initialized:
        yield from status.get("containerStatuses") or ()
