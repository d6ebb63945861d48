"""The kubelet: keeps the pods of this node as their objects say."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from sympozium.contract.errors import PermanentError
from sympozium.contract.resources import PODS, Object
from sympozium.kube.client import connect
from sympozium.kube.endpoint import Endpoint
from sympozium.kube.informer import Informer, Key
from sympozium.runtime.loops import pause
from sympozium_local.kubelet.held import has_ended, held_pod
from sympozium_local.kubelet.images import PRELOADED
from sympozium_local.kubelet.limits import GROUPS_ROOT, find_limits
from sympozium_local.kubelet.log_server import serve_logs
from sympozium_local.kubelet.node import NODE_NAME, Node, register_node
from sympozium_local.kubelet.pod import PodWorker, delete_for_good
from sympozium_local.kubelet.sandbox.client import open_sandbox
from sympozium_local.kubelet.traces import instance_of, memory_dir_of

log = logging.getLogger(__name__)

_NAMESPACES = "namespaces"
_LOOK_EVERY_S = 1.0
_LAST_WRITES_S = 2.0
"""How long the last statuses may take to be written at the end."""


@dataclass(frozen=True)
class KubeletSettings:
    """Where the kubelet works."""

    endpoint: Endpoint
    data_dir: Path
    log_socket: Path | None = None
    """Unix socket on which logs are served; None: not at all."""
    allowed_host_paths: tuple[Path, ...] = ()
    drain_s: float = 3.0
    preloaded: tuple[str, ...] = PRELOADED
    """What the zygote imports before the first container."""
    groups_root: Path = GROUPS_ROOT
    """Where the machine's control groups are."""


async def run_kubelet(
    settings: KubeletSettings,
    stop: asyncio.Event,
    *,
    on_ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Run pods until *stop* is set, then end them all within the drain time.

    *on_ready* is told which limits of containers this machine does not enforce; "": none.

    Raises:
        PermanentError: This machine cannot run containers, or the API refuses the kubelet.
    """
    end = _End(stop)
    async with _open_node(settings, end) as node:
        await register_node(node.kube, sandbox_kind=_NAMESPACES)
        async with asyncio.TaskGroup() as group:
            kubelet = Kubelet(node, group)
            pods = Informer(node.kube, PODS, keep=held_pod)
            pods.listen(kubelet.take)
            informer = group.create_task(pods.run(stop))
            group.create_task(_end_without(node.memory_dir, end))
            await pods.synced.wait()
            kubelet.remove_leftovers({pod["metadata"]["uid"] for pod in pods.all()})
            async with serve_logs(settings.log_socket, node, pods.get):
                on_ready(node.limits.shortfall)
                await stop.wait()
                await kubelet.drain(settings.drain_s)
            await informer


@dataclass
class _End:
    """How the node ends: by being stopped, or by what it cannot go on without."""

    stop: asyncio.Event
    cause: str = ""

    def because(self, cause: str) -> None:
        self.cause = self.cause or cause
        self.stop.set()


async def _end_without(memory_dir: Path, end: _End) -> None:
    """End the node when somebody has removed its folder in memory; the next one makes all anew.

    systemd does, when the user logs out who left the system in the background.
    Source: RemoveIPC in logind.conf(5)
    """
    inode = _inode(memory_dir)
    while not end.stop.is_set():
        if _inode(memory_dir) != inode:
            end.because(f"somebody has removed {memory_dir}, where the pods' tokens were")
        await pause(_LOOK_EVERY_S, end.stop)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


@asynccontextmanager
async def _open_node(settings: KubeletSettings, end: _End) -> AsyncIterator[Node]:
    data_dir = settings.data_dir.resolve()
    instance = instance_of(data_dir)
    memory_dir = memory_dir_of(data_dir)
    shutil.rmtree(memory_dir, ignore_errors=True)
    for folder in (data_dir, data_dir / "pods", data_dir / "staging", memory_dir):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    limits = find_limits(instance, settings.groups_root)
    limits.remove_leftovers()
    address = urlsplit(settings.endpoint.url)
    try:
        async with (
            connect(settings.endpoint) as kube,
            open_sandbox(
                settings.preloaded, on_death=lambda: end.because("the zygote ended")
            ) as sandbox,
        ):
            yield Node(
                kube,
                sandbox,
                limits,
                data_dir,
                memory_dir,
                (address.hostname or "127.0.0.1", address.port or 443),
                settings.allowed_host_paths,
            )
    finally:
        await limits.remove()
        shutil.rmtree(memory_dir, ignore_errors=True)
    if end.cause:
        raise PermanentError(f"cannot run containers any more: {end.cause}; start the node again")


class Kubelet:
    """Starts a worker for each pod and tells it what becomes of its object."""

    def __init__(self, node: Node, group: asyncio.TaskGroup) -> None:
        self._node = node
        self._group = group
        self._workers: dict[str, PodWorker] = {}
        self._over: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_draining = False
        self._ran_before = {path.name for path in (node.data_dir / "pods").iterdir()}

    def take(self, _key: Key, old: Object | None, new: Object | None) -> None:
        """Take in one change of a pod's object."""
        if old is not None and (new is None or _uid(new) != _uid(old)):
            self._forget(_uid(old))
        if new is None or new["spec"].get("nodeName") != NODE_NAME or self._is_draining:
            return
        worker = self._workers.get(_uid(new))
        if worker is not None and not worker.is_over:
            worker.update(new)
        elif worker is not None or _uid(new) in self._over or has_ended(new):
            if new["metadata"].get("deletionTimestamp"):
                self._group.create_task(delete_for_good(self._node, new))
        else:
            self._begin(new)

    def remove_leftovers(self, present: set[str]) -> None:
        """Remove the folders of pods that went while no kubelet ran; *present* are those left."""
        for uid in self._ran_before - present:
            shutil.rmtree(self._node.pod_dir(uid), ignore_errors=True)

    async def drain(self, grace_s: float) -> None:
        """End every pod, politely for *grace_s* seconds, and leave their objects."""
        self._is_draining = True
        running = [worker for worker in self._workers.values() if not worker.is_over]
        for worker in running:
            worker.shut_down(grace_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s + _LAST_WRITES_S):
                for worker in running:
                    await worker.over.wait()
        for task in self._tasks:
            task.cancel()

    def _begin(self, pod: Object) -> None:
        worker = self._workers[_uid(pod)] = PodWorker(self._node, pod)
        if _uid(pod) in self._ran_before:
            worker.continue_from(datetime.now(UTC))
        if pod["metadata"].get("deletionTimestamp"):
            worker.stop()
        worker.folder.mkdir(mode=0o700, exist_ok=True)
        task = self._group.create_task(self._run(worker))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, worker: PodWorker) -> None:
        try:
            await worker.run()
        except Exception as error:
            log.exception(
                "pod bug", extra={"action": "fail", "pod": worker.pod["metadata"]["name"]}
            )
            await worker.give_up(repr(error))
        uid = _uid(worker.pod)
        if self._workers.pop(uid, None) is not None:  # what it holds is not needed any more
            self._over.add(uid)

    def _forget(self, uid: str) -> None:
        self._over.discard(uid)
        worker = self._workers.pop(uid, None)
        if worker is not None and not worker.is_over:
            worker.vanish()
            self._group.create_task(self._remove_after(worker))
        else:
            shutil.rmtree(self._node.pod_dir(uid), ignore_errors=True)

    async def _remove_after(self, worker: PodWorker) -> None:
        await worker.over.wait()
        shutil.rmtree(worker.folder, ignore_errors=True)


def _uid(pod: Object) -> str:
    uid: str = pod["metadata"]["uid"]
    return uid
