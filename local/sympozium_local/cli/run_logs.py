"""What the containers of a run wrote: one log after the other, or side by side as they grow."""

import queue
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from sympozium.contract.errors import PermanentError, SympoziumError
from sympozium.contract.resources import PODS, Object
from sympozium.kube.errors import InvalidError, NotFoundError
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.paths import path_of

LOGS_GONE = "its pod is gone; a run's pod is kept for ten minutes after its end"
LOOK_EVERY_S = 0.2
"""How often a container that has not begun is asked for its log."""

_ENDED_PHASES = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True)
class RunLogs:
    """The logs of a run's pod, or of one container of it."""

    cluster: Cluster
    pod_path: str
    containers: list[str]

    def of(self, container: str, *, follow: bool) -> Iterator[bytes]:
        """Yield what a container wrote, and with *follow* what it writes up to its end.

        Raises:
            InvalidError: It has not begun.
        """
        query = {"container": container} | ({"follow": "true"} if follow else {})
        return self.cluster.stream(f"{self.pod_path}/log", **query)

    def may_begin(self) -> bool:
        """Return whether a container that has not begun may do so yet."""
        try:
            pod = self.cluster.get(self.pod_path)
        except NotFoundError:
            return False
        return (pod.get("status") or {}).get("phase") not in _ENDED_PHASES


def find_logs(cluster: Cluster, namespace: str, run: str, container: str = "") -> RunLogs:
    """Return the logs of a run's last pod; of one *container*, where it is named.

    Raises:
        PermanentError: There is no pod, or no such container.
    """
    pods = cluster.get(path_of(PODS, namespace), labelSelector=f"job-name={run}")["items"]
    if not pods:
        raise PermanentError(f"cannot read the logs of run {run!r}: {LOGS_GONE}")
    pod = max(pods, key=lambda one: str(one["metadata"]["creationTimestamp"]))
    names = _containers(pod)
    if container and container not in names:
        raise PermanentError(
            f"cannot find container {container!r} of run {run!r}: it has {', '.join(names)}"
        )
    path = path_of(PODS, namespace, pod["metadata"]["name"])
    return RunLogs(cluster, path, [container] if container else names)


def _containers(pod: Object) -> list[str]:
    spec = pod["spec"]
    return [one["name"] for one in [*(spec.get("initContainers") or []), *spec["containers"]]]


def print_one_by_one(logs: RunLogs) -> None:
    """Print what each container has written so far."""
    for one in logs.containers:
        if len(logs.containers) > 1:
            sys.stdout.write(f"==> {one} <==\n")
            sys.stdout.flush()
        for data in logs.of(one, follow=False):
            _write(data)


def follow_side_by_side(logs: RunLogs) -> None:
    """Print what the containers write, as they do, until all have ended.

    Raises:
        SympoziumError: A log could not be read to its end; those of the others were.
    """
    if len(logs.containers) == 1:
        for data in _to_its_end(logs, logs.containers[0]):
            _write(data)
        return
    told: queue.SimpleQueue[bytes | SympoziumError | None] = queue.SimpleQueue()
    width = max(map(len, logs.containers))
    for one in logs.containers:
        prefix = f"{one:<{width}}  ".encode()
        threading.Thread(target=_tell_lines, args=(logs, one, prefix, told), daemon=True).start()
    failure: SympoziumError | None = None
    running = len(logs.containers)
    while running:
        said = told.get()
        if isinstance(said, bytes):
            _write(said)
        else:
            failure, running = failure or said, running - 1
    if failure is not None:
        raise failure


def _tell_lines(
    logs: RunLogs,
    container: str,
    prefix: bytes,
    told: "queue.SimpleQueue[bytes | SympoziumError | None]",
) -> None:
    """Tell whole lines with *prefix*, and at the end why it is one: None where all was told."""
    rest, failure = b"", None
    try:
        for data in _to_its_end(logs, container):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                told.put(prefix + line + b"\n")
    except SympoziumError as error:
        failure = error
    finally:
        if rest:
            told.put(prefix + rest + b"\n")
        told.put(failure)


def _to_its_end(logs: RunLogs, container: str) -> Iterator[bytes]:
    """Yield what a container writes, from when it begins; nothing, if it never does."""
    while True:
        may_begin = logs.may_begin()  # before the question, or its last words could be missed
        try:
            yield from logs.of(container, follow=True)
        except InvalidError:
            if not may_begin:
                return
            time.sleep(LOOK_EVERY_S)
        else:
            return


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
