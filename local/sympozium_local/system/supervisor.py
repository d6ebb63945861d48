"""Starts the system, keeps it running, and ends it, in that order and within bounds."""

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from sympozium_local.system.bus_access import bus_access, write_server_config
from sympozium_local.system.errors import StartError
from sympozium_local.system.home import Home, locked, write_private
from sympozium_local.system.keeping import keeping
from sympozium_local.system.manifests import Deployment, addons, web_token
from sympozium_local.system.model import ModelSettings, read_model
from sympozium_local.system.ports import Ports, choose_ports, web_port
from sympozium_local.system.programs import NODE, programs
from sympozium_local.system.readiness import answers_ready
from sympozium_local.system.runner import Runner, Sink

log = logging.getLogger(__name__)

READY_TIMEOUT_S = 60.0
"""How long a start may take on a machine that is busy with other things."""

POLL_S = 0.02
STAGES = (1, 2)


@dataclass(frozen=True)
class Step:
    """One thing that a start got done, or a warning, for the person who waits.

    Attributes:
        took_s: Since the start began.
    """

    name: str
    text: str
    took_s: float
    is_warning: bool = False


Report = Callable[[Step], None]


def web_url(port: int) -> str:
    """Return where the web chat is."""
    return f"http://127.0.0.1:{port}"


async def supervise(
    home: Home, stop: asyncio.Event, *, report: Report, sink: Sink | None = None
) -> None:
    """Run the system in *home* until *stop* is set; report each step of its start.

    Raises:
        StartError: It cannot start; nothing is left running.
    """
    home.prepare()
    port = web_port()
    with locked(home, url=web_url(port)):
        try:
            ports = choose_ports(home, web=port)
            model = read_model(ports.model)
            _write_files(home, ports, model)
        except OSError as error:
            raise StartError(
                f"cannot write in '{home.path}': {error.strerror or error}; make room there, or "
                "set SYMPOZIUM_HOME to another folder"
            ) from error
        await Supervisor(home, ports, model, report, sink).run(stop)


def _write_files(home: Home, ports: Ports, model: ModelSettings) -> None:
    access = bus_access(home)
    write_server_config(home, access, ports.nats)
    deployment = Deployment(home, ports, access, model, web_token(), keeping())
    write_private(home.addons, json.dumps(addons(deployment)))
    home.node_ready.unlink(missing_ok=True)


class Supervisor:
    """One life of the system."""

    def __init__(
        self, home: Home, ports: Ports, model: ModelSettings, report: Report, sink: Sink | None
    ) -> None:
        self._home = home
        self._ports = ports
        self._model = model
        self._report = report
        self._begun = time.monotonic()
        self._started = time.time()
        self._is_ready = False
        self._shortfall = ""
        self._runners = [
            Runner(program, home, sink=sink, changed=self._write_status)
            for program in programs(home, ports, demo_model=model.is_demo)
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, report, wait for *stop*, and end everything."""
        failure: StartError | None = None
        async with asyncio.TaskGroup() as group:
            tasks = {runner: group.create_task(runner.run()) for runner in self._runners}
            try:
                await self._start(stop)
                await stop.wait()
                log.info("stopping", extra={"action": "stop"})
            except StartError as error:
                failure = error
            await self._end(tasks)
        self._home.status.unlink(missing_ok=True)
        if failure is not None:
            raise failure

    async def _start(self, stop: asyncio.Event) -> None:
        if self._model.warning:
            self._say("model", self._model.warning, is_warning=True)
        async with asyncio.TaskGroup() as group:
            begin = group.create_task(self._all_ready())
            cancel = group.create_task(stop.wait())
            await asyncio.wait({begin, cancel}, return_when=asyncio.FIRST_COMPLETED)
            cancel.cancel()
            if not begin.done():
                begin.cancel()
        if not begin.cancelled() and (failure := begin.result()):
            raise failure

    async def _all_ready(self) -> StartError | None:
        """Wait until everything is ready; return what went wrong, if anything."""
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                failure = await self._each_ready()
        except TimeoutError:
            return self._too_slow()
        if failure is None:
            self._is_ready = True
            self._write_status()
            self._say("system", "ready")
            took_ms = int((time.monotonic() - self._begun) * 1000)
            log.info("system ready", extra={"action": "start", "took_ms": took_ms})
        return failure

    async def _each_ready(self) -> StartError | None:
        ports = self._ports
        pods = {"controller": ports.controller, "router": ports.router, "web chat": ports.web}
        failure: StartError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for runner in self._runners:
                    group.create_task(self._program_ready(runner))
                for name, port in pods.items():
                    group.create_task(self._pod_ready(name, port))
        except* StartError as errors:
            failure = _first(errors)
        return failure

    async def _program_ready(self, runner: Runner) -> None:
        await runner.ready()
        self._say(runner.program.name, "ready")
        if runner.program.name == NODE:
            with contextlib.suppress(FileNotFoundError):  # it died meanwhile, and says it again
                self._shortfall = self._home.node_ready.read_text()
            if self._shortfall:
                self._say("limits", self._shortfall, is_warning=True)

    async def _pod_ready(self, name: str, port: int) -> None:
        while not await answers_ready(port):  # noqa: ASYNC110 - another process
            await asyncio.sleep(POLL_S)
        self._say(name, f"ready at {web_url(port)}" if name == "web chat" else "ready")

    def _too_slow(self) -> StartError:
        return StartError(
            f"cannot start: not everything was ready within {READY_TIMEOUT_S:.0f} s; "
            f"look at the logs in '{self._home.logs}' and in '{self._home.node}/pods'"
        )

    def _say(self, name: str, text: str, *, is_warning: bool = False) -> None:
        self._report(Step(name, text, time.monotonic() - self._begun, is_warning))

    async def _end(self, tasks: Mapping[Runner, Awaitable[None]]) -> None:
        for stage in STAGES:
            ending = [runner for runner in self._runners if runner.program.stage == stage]
            for runner in ending:
                runner.stop()
            for runner in ending:
                await tasks[runner]

    def _write_status(self) -> None:
        ports = self._ports
        status = {
            "pid": os.getpid(),
            "started": self._started,
            "ready": self._is_ready,
            "url": web_url(ports.web),
            "kubeconfig": str(self._home.kubeconfig),
            "model": self._model.name,
            "shortfall": self._shortfall,
            "programs": [
                {
                    "name": runner.program.name,
                    "pid": runner.pid,
                    "ready": runner.is_ready,
                    "restarts": runner.restarts,
                    "started": runner.started,
                }
                for runner in self._runners
            ],
        }
        try:
            write_private(self._home.status, json.dumps(status))
        except OSError as error:  # a full disk must not end what runs
            log.warning("status not written", extra={"action": "drop", "cause": str(error)})


def _first(errors: BaseExceptionGroup[StartError]) -> StartError:
    found: Iterable[BaseException] = errors.exceptions
    for error in found:
        if isinstance(error, StartError):
            return error
        if isinstance(error, BaseExceptionGroup):
            return _first(error)
    raise errors
