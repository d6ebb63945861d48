"""One container of a pod: started, watched, restarted, ended."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.resources import Object
from sympozium_local.kubelet.build import PodParts, build_plan, termination_log
from sympozium_local.kubelet.environment import ConfigError
from sympozium_local.kubelet.images import UnknownImageError
from sympozium_local.kubelet.limits import Group, amounts
from sympozium_local.kubelet.logs import LogWriter, older
from sympozium_local.kubelet.probes import ProbeTarget, has_started, probe, watch
from sympozium_local.kubelet.sandbox.client import Container, ContainerCannotRunError
from sympozium_local.kubelet.sources import SourceAwayError, Sources
from sympozium_local.kubelet.status import ContainerState, Ended

FIRST_BACKOFF_S, MAX_BACKOFF_S = 1.0, 60.0
RESET_AFTER_S = 60.0
"""A container that ran this long starts with no back-off again."""
_RETRY_S = 1.0
_LOG_DRAIN_S = 2.0
_MAX_MESSAGE_BYTES = 4096
"""Of a termination message. Source: Kubernetes, "Determine the Reason for Pod Failure"."""


@dataclass
class Backoff:
    """How long to wait before the next restart."""

    _next_s: float = field(default=0.0)

    def after(self, ran_s: float) -> float:
        """Return the wait after an execution of *ran_s*: none at first, then doubling."""
        if ran_s >= RESET_AFTER_S:
            self._next_s = 0.0
        wait_s = self._next_s
        self._next_s = min(MAX_BACKOFF_S, max(FIRST_BACKOFF_S, wait_s * 2))
        return wait_s


class ContainerRunner:
    """Runs one container of a pod until it has ended for good. Its state is in *state*."""

    def __init__(self, spec: Object, state: ContainerState, parts: PodParts) -> None:
        self._spec = spec
        self.state = state
        self._parts = parts
        self.turn = asyncio.Event()
        """Set when the container's code may run; its sandbox is built without waiting for that."""
        self._container: Container | None = None
        self._stopping = asyncio.Event()
        self.released = asyncio.Event()
        """Set when its code was told to run for the first time, or never will be."""
        self.started = asyncio.Event()
        """Set when it has started for the first time, or never will."""
        self.over = asyncio.Event()
        """Set when nothing of it runs and it will not be started again."""

    async def run(self) -> None:
        """Run the container, again and again as its restart policy says."""
        backoff = Backoff()
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                ended = await self._execute()
                self.state.running_since, self.state.pid = None, 0
                self.state.has_started = self.state.passes_readiness = False
                if ended is None:
                    continue
                self.state.ended, self.state.waiting = ended, ""
                if self._stopping.is_set() or not self._is_restarted(ended):
                    return
                await self._back_off(ended, backoff.after(time.monotonic() - began))
        finally:
            self.released.set()
            self.started.set()
            self.over.set()
            self._parts.changed()

    @property
    def may_be_followed(self) -> asyncio.Event:
        """What the next container waits for: that this sidecar runs, or has passed its probe."""
        hooks = self._spec.get("lifecycle") or {}
        is_watched = "startupProbe" in self._spec or "postStart" in hooks
        return self.started if is_watched else self.released

    async def stop(self, grace_s: float) -> None:
        """End the container: politely for *grace_s* seconds, then at once."""
        self._stopping.set()
        self.turn.set()
        try:
            async with asyncio.timeout(grace_s):
                await self._stop_politely()
        except TimeoutError:
            if self._container is not None:
                self._container.kill()
        await self.over.wait()

    async def exec(self, argv: list[str], output_fd: int) -> int:
        """Run a command beside the main process; return its exit code.

        Raises:
            OSError: The container does not run.
        """
        if self._container is None or self._container.has_ended:
            raise ConnectionRefusedError(f"container {self.state.name!r} does not run")
        return await self._container.exec(argv, output_fd)

    async def _stop_politely(self) -> None:
        container = self._container
        if container is not None and not container.has_ended:
            hook = (self._spec.get("lifecycle") or {}).get("preStop")
            if hook:
                await self._run_hook(hook, "FailedPreStopHook")
            container.signal(signal.SIGTERM)
        await self.over.wait()

    def _is_restarted(self, ended: Ended) -> bool:
        policy = self._parts.pod["spec"].get("restartPolicy", "Always")
        if self.state.is_sidecar:
            return True
        if self.state.is_init or policy == "OnFailure":
            return policy != "Never" and ended.exit_code != 0
        return bool(policy == "Always")

    async def _back_off(self, ended: Ended, wait_s: float) -> None:
        self.state.last, self.state.ended = ended, None
        self.state.waiting, self.state.message = "ContainerCreating", ""
        if wait_s:
            text = f"back-off {wait_s:.0f}s restarting failed container={self.state.name}"
            self._wait_for("CrashLoopBackOff", text)
            self._parts.warn("BackOff", text)
            await self._sleep(wait_s)
        if not self._stopping.is_set():
            self.state.restarts += 1

    async def _sleep(self, wait_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()

    def _wait_for(self, reason: str, message: str) -> None:
        self.state.waiting, self.state.message = reason, message
        self._parts.changed()

    async def _execute(self) -> Ended | None:
        """Run the container once; None: it could not be started yet, or was told to stop."""
        if self.state.waiting == "PodInitializing":
            self.state.waiting = "ContainerCreating"
        try:
            return await self._execute_once()
        except UnknownImageError as error:
            self._parts.warn("Failed", f'Failed to pull image "{self.state.image}": {error}')
            never = self._spec.get("imagePullPolicy") == "Never"
            self._wait_for("ErrImageNeverPull" if never else "ErrImagePull", str(error))
            await self._stopping.wait()
        except (ConfigError, SourceAwayError) as error:
            await self._retry_later("CreateContainerConfigError", str(error))
        except ContainerCannotRunError as error:
            now = datetime.now(UTC)
            self._parts.warn("Failed", f"Error: {error}")
            return Ended(128, "StartError", now, message=str(error))
        except (PermanentError, TransientError, OSError) as error:
            await self._retry_later("CreateContainerError", str(error))
        return None

    async def _retry_later(self, reason: str, message: str) -> None:
        self._parts.warn("Failed", f"Error: {message}")
        self._wait_for(reason, message)
        await self._sleep(_RETRY_S)

    async def _execute_once(self) -> Ended | None:
        parts, state = self._parts, self.state
        sources = Sources(parts.node.kube, parts.pod["metadata"]["namespace"])
        self._container = None
        servers = await parts.network.serve_host_ports(self._spec)
        group = parts.node.limits.make_group(
            f"{parts.pod['metadata']['uid']}-{state.name}-{state.restarts}", amounts(self._spec)
        )
        writer: LogWriter | None = None
        try:
            plan = await build_plan(self._spec, parts, sources, group)
            if self._stopping.is_set():
                return None
            writer = self._open_log()
            self._container = parts.node.sandbox.start(plan, writer.pipe_w)
            writer.close_pipe()
            await self.turn.wait()
            if self._stopping.is_set():
                return None
            self._container.go()
            self.released.set()
            await self._container.started()
            servers += await parts.network.attach(state.name, self._container)
            state.running_since, state.pid = datetime.now(UTC), self._container.pid
            state.waiting = state.message = ""
            parts.changed()
            code = await self._watch(self._container)
            return self._describe_end(code, group)
        finally:
            if self._container is not None:
                self._container.kill()
            for server in servers:
                server.close()
            if writer is not None:
                await self._close_log(writer)
            group.remove()

    async def _watch(self, container: Container) -> int:
        """Return the exit code; meanwhile probe the container and act on the answers."""
        async with asyncio.TaskGroup() as group:
            care = group.create_task(self._care(container))
            code = await container.wait()
            care.cancel()
        return code

    async def _care(self, container: Container) -> None:
        hook = (self._spec.get("lifecycle") or {}).get("postStart")
        if hook and not await self._run_hook(hook, "FailedPostStartHook"):
            await self._end(container)
            return
        startup = self._spec.get("startupProbe")
        if startup and (last := await has_started(startup, self._target())):
            self._parts.warn("Unhealthy", f"Startup probe failed: {last}")
            await self._end(container)
            return
        self.state.has_started = True
        self.state.passes_readiness = "readinessProbe" not in self._spec
        self.started.set()
        self._parts.changed()
        async with asyncio.TaskGroup() as group:
            if readiness := self._spec.get("readinessProbe"):
                group.create_task(
                    watch(readiness, self._target(), until=self._note_readiness, passing=False)
                )
            if liveness := self._spec.get("livenessProbe"):
                group.create_task(self._watch_liveness(liveness, container))

    def _note_readiness(self, message: str) -> bool:
        if message:
            self._parts.warn("Unhealthy", f"Readiness probe failed: {message}")
        self.state.passes_readiness = not message
        self._parts.changed()
        return False

    async def _watch_liveness(self, spec: Object, container: Container) -> None:
        last = await watch(spec, self._target(), until=bool, passing=True)
        self._parts.warn("Unhealthy", f"Liveness probe failed: {last}")
        await self._end(container)

    async def _end(self, container: Container) -> None:
        """End this execution, not the container: its restart policy decides what follows."""
        container.signal(signal.SIGTERM)
        await asyncio.sleep(grace_period_s(self._parts.pod))
        container.kill()

    async def _run_hook(self, hook: Object, reason: str) -> bool:
        if "sleep" in hook:
            await asyncio.sleep(hook["sleep"]["seconds"])
            return True
        question = {**hook, "timeoutSeconds": grace_period_s(self._parts.pod)}
        problem = await probe(question, self._target())
        if problem:
            self._parts.warn(reason, problem)
        return not problem

    def _target(self) -> ProbeTarget:
        name = self.state.name
        ports = self._spec.get("ports") or ()
        return ProbeTarget(
            lambda port: self._parts.network.dial(name, port),
            self.exec,
            {p["name"]: p["containerPort"] for p in ports if "name" in p},
        )

    def _open_log(self) -> LogWriter:
        folder = self._parts.folder / self.state.name
        stale = folder / f"{self.state.restarts - 2}.log"
        for path in (stale, older(stale)):
            path.unlink(missing_ok=True)
        writer = LogWriter(folder / f"{self.state.restarts}.log")
        if self._parts.host_uid:
            os.fchown(writer.pipe_w, self._parts.host_uid, -1)
        self._parts.node.log_writers[writer.path] = writer
        return writer

    async def _close_log(self, writer: LogWriter) -> None:
        """Read what is still in the pipe, whose other end has closed or is about to."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOG_DRAIN_S):
                await writer.ended.wait()
        writer.close()
        del self._parts.node.log_writers[writer.path]

    def _describe_end(self, code: int, group: Group) -> Ended:
        reason = "Completed" if code == 0 else "Error"
        if code == 128 + signal.SIGKILL and group.was_out_of_memory():
            reason = "OOMKilled"
        return Ended(
            code,
            reason,
            datetime.now(UTC),
            started_at=self.state.running_since,
            message=self._termination_message(code),
            pid=self.state.pid,
        )

    def _termination_message(self, code: int) -> str:
        data = termination_log(self._parts.folder, self.state.name).read_bytes()
        policy = self._spec.get("terminationMessagePolicy")
        if not data and code != 0 and policy == "FallbackToLogsOnError":
            path = self._parts.folder / self.state.name / f"{self.state.restarts}.log"
            data = b"\n".join(line.split(b" ", 2)[2] for line in path.read_bytes().splitlines())
        return data[-_MAX_MESSAGE_BYTES:].decode(errors="replace")


def grace_period_s(pod: Object) -> float:
    """Return how long *pod* has to end by itself."""
    asked = pod["metadata"].get("deletionGracePeriodSeconds")
    if asked is None:
        asked = pod["spec"].get("terminationGracePeriodSeconds")
    return float(30 if asked is None else asked)
