"""One pod, from the moment it is seen to the moment nothing of it is left."""

import asyncio
import logging
import shutil
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.resources import NETWORK_POLICIES, PODS, Object
from sympozium.contract.times import parse_kube_time
from sympozium.kube.errors import ConflictError, NotFoundError
from sympozium_local.kubelet.build import PodParts
from sympozium_local.kubelet.container import ContainerRunner, grace_period_s
from sympozium_local.kubelet.network import PodNetwork, pod_address
from sympozium_local.kubelet.node import Node
from sympozium_local.kubelet.policy import Egress, find_egress
from sympozium_local.kubelet.room import StartSlot, need_of
from sympozium_local.kubelet.sources import Sources
from sympozium_local.kubelet.status import (
    ContainerState,
    PodState,
    container_entries,
    ended_before,
    pod_status,
    with_others,
)
from sympozium_local.kubelet.volumes import VolumeNotReadyError, Volumes

log = logging.getLogger(__name__)

_SETTLE_S = 0.25
"""How long a status waits for containers that are about to start or end, to say it once."""
_END_SETTLE_S = 1.0
"""The same of a pod whose main containers have ended: its sidecars end within a moment."""
_RETRY_S, _MAX_RETRY_S = 0.5, 10.0
_SIZE_CHECK_S = 2.0


class PodWorker:
    """Runs one pod. `run` returns when the pod has ended and its status says so."""

    def __init__(self, node: Node, pod: Object) -> None:
        self._node = node
        self.pod = pod
        self.state = PodState(start_time=datetime.now(UTC), address=pod_address(pod))
        self._runners: dict[str, ContainerRunner] = {}
        self._written: Object = pod.get("status") or {}
        self._dirty = asyncio.Event()
        self._stop = asyncio.Event()
        self._is_gone = False
        self.over = asyncio.Event()
        """Set when the pod has ended and nothing more is written about it."""
        self._grace_s: float | None = None
        self._warned: set[tuple[str, str]] = set()
        self._began = time.monotonic()
        inits = pod["spec"].get("initContainers") or []
        self._specs: list[Object] = [*inits, *pod["spec"]["containers"]]
        for number, spec in enumerate(self._specs):
            self.state.containers.append(_new_state(spec, is_init=number < len(inits)))

    @property
    def is_over(self) -> bool:
        """True when nothing of the pod runs or will run."""
        return self.over.is_set()

    @property
    def folder(self) -> Path:
        """Where the pod's logs and volumes are."""
        return self._node.pod_dir(self.pod["metadata"]["uid"])

    def continue_from(self, now: datetime) -> None:
        """Take over a pod that an earlier kubelet ran: restart it in place, or fail it.

        A pod that may not restart fails even where its status tells of no start: its containers
        may have worked before that was written, and must not do so twice.
        """
        may_restart = self.pod["spec"].get("restartPolicy") != "Never"
        if "startTime" in self._written:
            self.state.start_time = parse_kube_time(self._written["startTime"])
        before = {entry["name"]: entry for entry in container_entries(self._written)}
        for state in self.state.containers:
            entry = before.get(state.name, {})
            was_running = "running" in entry.get("state", {})
            ended = ended_before(entry, now)
            state.restarts = entry.get("restartCount", 0) + (was_running and may_restart)
            is_done = ended is not None and ended.exit_code == 0
            if not may_restart or (is_done and self._ends_well() and not state.is_init):
                state.ended, state.waiting = ended, ""
            else:
                state.last = ended
        if not may_restart:
            self._fail_as_disrupted()
            self.stop(grace_s=0)

    def _ends_well(self) -> bool:
        return bool(self.pod["spec"].get("restartPolicy") == "OnFailure")

    def update(self, pod: Object) -> None:
        """Take in a newer version of the object. Of one that has ended the spec may be cut."""
        self.pod = pod | {"spec": self.pod["spec"]}
        self._written = with_others(self._written, pod.get("status") or {})
        if pod["metadata"].get("deletionTimestamp"):
            self.stop()

    def vanish(self) -> None:
        """End the pod at once, because its object is gone."""
        self._is_gone = True
        self.stop(grace_s=0)

    def shut_down(self, grace_s: float) -> None:
        """End the pod because the node stops."""
        if self.pod["spec"].get("restartPolicy") == "Never":
            self._fail_as_disrupted()
        else:
            self.state.is_suspended = True
        self.stop(grace_s=grace_s)

    def _fail_as_disrupted(self) -> None:
        self.fail("NodeShutdown", "the node stopped while the pod was running")
        self.state.is_disrupted = True

    def fail(self, reason: str, message: str) -> None:
        """Note why the pod as a whole fails; the first reason counts."""
        self.state.failure = self.state.failure or (reason, message)

    def stop(self, *, grace_s: float | None = None) -> None:
        """Begin to end the pod, or end it sooner than asked before."""
        self._grace_s = grace_s
        self._stop.set()

    async def run(self) -> None:
        """Run the pod to its end."""
        try:
            async with AsyncExitStack() as self._room:
                await self._run()
        finally:
            self.over.set()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as self._group:
            background = [self._group.create_task(self._status_loop())]
            course = self._group.create_task(self._course(background))
            stopped = self._group.create_task(self._stop.wait())
            await asyncio.wait({course, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in (course, stopped):
                task.cancel()
            await self._end_containers()
            self.state.is_over = True
            for task in background:
                task.cancel()
        await self._finish()

    async def give_up(self, cause: str) -> None:
        """Fail the pod because the kubelet could not deal with it."""
        self.fail("KubeletError", f"the kubelet met a bug: {cause}")
        self.state.is_over = True
        await self._write_status()

    async def exec(self, container: str, argv: list[str], output_fd: int) -> int:
        """Run a command in a container; return its exit code.

        Raises:
            OSError: It does not run.
        """
        runner = self._runners.get(container)
        if runner is None:
            raise ConnectionRefusedError(f"container {container!r} does not run")
        return await runner.exec(argv, output_fd)

    async def _course(self, background: list[asyncio.Task[None]]) -> None:
        """Start everything in order; return when the main containers have ended for good."""
        if self._stop.is_set():
            return
        held = self._node.room.held(need_of(self.pod), self._say_unscheduled)
        await self._room.enter_async_context(held)
        parts = await self._prepare()
        slot = await self._node.room.start_slot()
        self._room.callback(slot.release)
        self._in_background(background, self._keep_deadline())
        self._in_background(background, self._keep_sizes(parts.volumes))
        sources = Sources(self._node.kube, self.pod["metadata"]["namespace"])
        self._in_background(background, parts.volumes.keep_tokens_fresh(sources))
        self._in_background(background, parts.volumes.keep_secrets_fresh(sources))
        if await self._start_inits(parts):
            self.state.is_initialized = True
            await self._run_mains(parts, slot)

    def _say_unscheduled(self, is_unscheduled: bool) -> None:
        self.state.is_unscheduled = is_unscheduled
        self._dirty.set()

    async def _start_inits(self, parts: PodParts) -> bool:
        """Run init containers and start sidecars, in order; return whether all went well.

        Where there are only sidecars, the sandboxes of all containers are built at once.
        """
        states = [state for state in self.state.containers if state.is_init]
        if all(state.is_sidecar for state in states):
            for state in self.state.containers:
                self._build(state, parts)
        for state in states:
            runner = self._build(state, parts)
            runner.turn.set()
            await (runner.may_be_followed if state.is_sidecar else runner.over).wait()
            if not state.is_sidecar and not state.is_ready:
                return False
        return True

    async def _run_mains(self, parts: PodParts, slot: StartSlot) -> None:
        states = [s for s in self.state.containers if not s.is_init and s.ended is None]
        runners = [self._build(state, parts) for state in states]
        for runner in runners:
            runner.turn.set()
        for runner in runners:
            await runner.started.wait()
        slot.release()
        for runner in runners:
            await runner.over.wait()

    def _in_background(
        self, tasks: list[asyncio.Task[None]], coroutine: Coroutine[Any, Any, None]
    ) -> None:
        tasks.append(self._group.create_task(coroutine))

    def _build(self, state: ContainerState, parts: PodParts) -> ContainerRunner:
        """Return who runs the container, which begins to be built if it has not before."""
        if state.name not in self._runners and state.ended is None:
            spec = next(spec for spec in self._specs if spec["name"] == state.name)
            runner = self._runners[state.name] = ContainerRunner(spec, state, parts)
            self._group.create_task(runner.run())
        return self._runners[state.name]

    async def _prepare(self) -> PodParts:
        """Make what the containers share, again and again until it can be made."""
        host_uid = self._node.host_uid_for(self.pod)
        uid = self.pod["metadata"]["uid"]
        memory = self._node.memory_dir / uid
        retry_s = _RETRY_S
        while True:
            volumes = Volumes(self.pod, self.folder / "volumes", memory, host_uid)
            try:
                egress = await self._find_egress()
                sources = Sources(self._node.kube, self.pod["metadata"]["namespace"])
                await volumes.prepare(sources, self._node.allowed_host_paths)
            except (TransientError, OSError) as error:
                self._warn_about_mount(error)
            except PermanentError as error:
                self._warn_about_mount(error)
                await self._stop.wait()
            else:
                network = PodNetwork(self.pod, egress)
                return PodParts(
                    self._node, self.pod, host_uid, network, volumes, self._dirty.set, self._warn
                )
            await asyncio.sleep(retry_s)
            retry_s = min(_MAX_RETRY_S, retry_s * 2)

    async def _find_egress(self) -> Egress | None:
        """Read the policies now: a pod must not start before a policy made ahead of it is seen."""
        namespace = self.pod["metadata"]["namespace"]
        policies = (await self._node.kube.list(NETWORK_POLICIES, namespace)).items
        egress = find_egress(self.pod, policies)
        for problem in egress.unsupported if egress else ():
            self._warn("NetworkPolicyNotSupported", f"this node keeps closed: {problem}")
        return egress

    def _warn_about_mount(self, error: Exception) -> None:
        for state in self.state.containers:
            state.waiting, state.message = "ContainerCreating", str(error)
        self._dirty.set()
        is_mount = isinstance(error, VolumeNotReadyError | PermanentError)
        self._warn("FailedMount" if is_mount else "FailedCreatePodSandBox", str(error))

    async def _keep_deadline(self) -> None:
        seconds = self.pod["spec"].get("activeDeadlineSeconds")
        if seconds is None or self.state.start_time is None:
            return
        due = self.state.start_time + timedelta(seconds=seconds)
        await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
        text = "Pod was active on the node longer than the specified deadline"
        self.fail("DeadlineExceeded", text)
        self.stop()

    async def _keep_sizes(self, volumes: Volumes) -> None:
        limited = {n: v for n, v in volumes.by_name.items() if v.size_limit_bytes}
        while limited:
            await asyncio.sleep(_SIZE_CHECK_S)
            for name, volume in limited.items():
                if await asyncio.to_thread(_size_bytes, volume.path) > volume.size_limit_bytes:
                    limit = volume.size_limit_bytes
                    text = f'Usage of EmptyDir volume "{name}" exceeds the limit of {limit} bytes.'
                    self._warn("Evicted", text)
                    self.fail("Evicted", text)
                    self.stop(grace_s=0)
                    return

    async def _end_containers(self) -> None:
        """End what still runs: the main containers together, then sidecars, the last one first."""
        grace_s = grace_period_s(self.pod) if self._grace_s is None else self._grace_s
        deadline = time.monotonic() + grace_s
        mains = [r for r in self._runners.values() if not r.state.is_sidecar]
        async with asyncio.TaskGroup() as group:
            for runner in mains:
                group.create_task(runner.stop(grace_s))
        for runner in reversed([r for r in self._runners.values() if r.state.is_sidecar]):
            await runner.stop(max(0.0, deadline - time.monotonic()))

    async def _finish(self) -> None:
        """Write the last status, let the object go if it is to be deleted, drop the volumes."""
        uid = self.pod["metadata"]["uid"]
        for volumes in (self.folder / "volumes", self._node.memory_dir / uid):
            shutil.rmtree(volumes, ignore_errors=True)
        if not self._is_gone:
            await self._write_status()
        if self.pod["metadata"].get("deletionTimestamp") and not self._is_gone:
            await delete_for_good(self._node, self.pod)
        extra = {"action": "end", "pod": self.pod["metadata"]["name"], "phase": self.state.phase()}
        took_ms = round((time.monotonic() - self._began) * 1000)
        log.info("pod ended", extra={**extra, "took_ms": took_ms})

    async def _status_loop(self) -> None:
        has_started = False
        while True:
            await self._dirty.wait()
            began = asyncio.get_running_loop().time()
            with suppress(TimeoutError):
                async with asyncio.timeout(_SETTLE_S) as deadline:
                    while not self._is_settled():
                        if self._is_ending():
                            deadline.reschedule(began + _END_SETTLE_S)
                        self._dirty.clear()
                        await self._dirty.wait()
            self._dirty.clear()
            if not has_started and self.state.phase() == "Running":
                has_started = True
                took_ms = round((time.monotonic() - self._began) * 1000)
                name = self.pod["metadata"]["name"]
                extra = {"action": "start", "pod": name, "took_ms": took_ms}
                log.info("pod started", extra=extra)
            await self._write_status()

    def _is_settled(self) -> bool:
        return not self._is_ending() and all(c.is_settled for c in self.state.containers)

    def _is_ending(self) -> bool:
        mains = [c for c in self.state.containers if not c.is_init]
        return all(c.ended for c in mains) or self._stop.is_set()

    async def _write_status(self) -> None:
        retry_s = _RETRY_S
        while True:
            status = pod_status(self.state, self._written, now=datetime.now(UTC))
            if status.items() <= self._written.items():
                return
            metadata = self.pod["metadata"]
            patch = {"metadata": {"uid": metadata["uid"]}, "status": status}
            try:
                await self._node.kube.patch(
                    PODS, metadata["namespace"], metadata["name"], patch, subresource="status"
                )
            except (NotFoundError, ConflictError):
                self.vanish()
                return
            except TransientError as error:
                extra = {"action": "retry", "pod": metadata["name"], "cause": str(error)}
                log.warning("pod status not written", extra=extra)
                await asyncio.sleep(retry_s)
                retry_s = min(_MAX_RETRY_S, retry_s * 2)
            else:
                self._written = {k: v for k, v in status.items() if v is not None}
                return

    def _warn(self, reason: str, message: str) -> None:
        if (reason, message) not in self._warned:
            self._warned.add((reason, message))
            self._group.create_task(self._node.warn(self.pod, reason, message))


async def delete_for_good(node: Node, pod: Object) -> None:
    """Remove the object of a pod of which nothing is left on this node."""
    metadata = pod["metadata"]
    with suppress(NotFoundError, ConflictError):
        await node.kube.delete(
            PODS, metadata["namespace"], metadata["name"], uid=metadata["uid"], grace_s=0
        )


def _new_state(spec: Object, *, is_init: bool) -> ContainerState:
    is_sidecar = is_init and spec.get("restartPolicy") == "Always"
    return ContainerState(spec["name"], spec["image"], is_init=is_init, is_sidecar=is_sidecar)


def _size_bytes(folder: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))
