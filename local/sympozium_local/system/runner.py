"""One program, kept running: started, watched, its output kept, started again when it dies."""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from sympozium.runtime.program import EXIT_CONFIGURATION
from sympozium_local.system.errors import StartError
from sympozium_local.system.home import Home
from sympozium_local.system.log_files import LogFile, last_line
from sympozium_local.system.process import die_with_parent

log = logging.getLogger(__name__)

PROBE_S = 0.02
"""How often a program that starts is asked whether it is ready."""

MAX_BACKOFF_S = 10.0
SETTLED_S = 5.0
"""A program that lived so long starts again at once when it dies: everything waits for it."""

WELL_EVERY_S = 10.0
UNWELL_TIMES = 3
"""A program that is unwell so often, one time after the other, is started anew."""

DEATHS_AT_START = 3
"""A program that died so often before it was ready once cannot start.

One of ours that ends with `EXIT_CONFIGURATION` says that once: another try would not help.
"""

Sink = Callable[[str, bytes], None]
"""Is given (program, output) for the screen."""


@dataclass(frozen=True)
class Program:
    """What to run, and how to tell that it is ready.

    Attributes:
        stage: At the end, programs of a lower stage are stopped first.
        is_well: Tells of one that was ready whether it still does its work; None: while it lives.
    """

    name: str
    command: tuple[str, ...]
    is_ready: Callable[[], Awaitable[bool]]
    environ: Mapping[str, str] = field(default_factory=dict)
    stage: int = 2
    grace_s: float = 1.0
    is_well: Callable[[], Awaitable[bool]] | None = None


class Runner:
    """Keeps one program running until it is told to stop."""

    def __init__(
        self, program: Program, home: Home, *, sink: Sink | None, changed: Callable[[], None]
    ) -> None:
        self.program = program
        self.pid = 0
        self.is_ready = False
        """Whether it was ready since its last start."""
        self.restarts = 0
        self.started = 0.0
        """Wall clock of the last start."""
        self._path = home.logs / f"{program.name}.log"
        self._sink = sink
        self._changed = changed
        self._stop = asyncio.Event()
        self._settled = asyncio.Event()
        self._failure = ""
        self._was_ready = False
        self._failures = 0

    def stop(self) -> None:
        """Have the program end: SIGTERM, and SIGKILL after its grace."""
        self._stop.set()

    async def ready(self) -> None:
        """Return when the program was ready once.

        Raises:
            StartError: It died before, again and again, or said that it cannot run here.
        """
        await self._settled.wait()
        if self._failure:
            raise StartError(self._failure)

    async def run(self) -> None:
        """Keep the program running until `stop`."""
        output = LogFile(self._path)
        try:
            while not self._stop.is_set():
                begun = time.monotonic()
                exit_code = await self._run_once(output)
                self.pid, self.is_ready = 0, False
                if self._stop.is_set():
                    break
                self._note_death(time.monotonic() - begun, exit_code)
                if self._failure:
                    await self._stop.wait()
                    break
                self.restarts += 1
                await self._pause()
        finally:
            output.close()

    def _note_death(self, lived_s: float, exit_code: int) -> None:
        """Decide whether the program, which ended by itself, can be started at all."""
        self._failures = 0 if lived_s > SETTLED_S else self._failures + 1
        if self._was_ready:
            return
        said = last_line(self._path)
        if exit_code == EXIT_CONFIGURATION and said:
            sentence = said.removeprefix(f"{self.program.name}: ")
            self._fail(f"{sentence}; see '{self._path}'")
        elif self._failures >= DEATHS_AT_START:
            self._fail(
                f"cannot start {self.program.name}: it ended {self._failures} times, at last "
                f"with: {said or 'nothing'}; see '{self._path}'"
            )

    def _fail(self, why: str) -> None:
        self._failure = why
        self._settled.set()

    async def _pause(self) -> None:
        delay_s = 0.0 if self._failures <= 1 else min(0.25 * 2**self._failures, MAX_BACKOFF_S)
        log.warning(
            "program died",
            extra={"action": "restart", "died": self.program.name, "after_s": delay_s},
        )
        self._changed()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._stop.wait()

    async def _run_once(self, output: LogFile) -> int:
        process = await asyncio.create_subprocess_exec(
            *self.program.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**self.program.environ},
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
        self.pid, self.started = process.pid, time.time()
        self._changed()
        try:
            async with asyncio.TaskGroup() as group:
                pump = group.create_task(self._pump(process, output))
                probe = group.create_task(self._probe())
                ending = group.create_task(self._end_when_told(process))
                watch = group.create_task(self._end_when_unwell(process))
                exit_code = await process.wait()
                probe.cancel()
                watch.cancel()
                ending.cancel()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.2):  # a grandchild may hold the pipe open
                        await asyncio.wait([pump])
                pump.cancel()
        finally:
            _kill_group(process.pid)
        return exit_code

    async def _pump(self, process: asyncio.subprocess.Process, output: LogFile) -> None:
        assert process.stdout is not None  # noqa: S101 - asked for above
        while data := await process.stdout.read(65536):
            output.write(data)
            if self._sink is not None:
                self._sink(self.program.name, data)

    async def _probe(self) -> None:
        while not await self.program.is_ready():  # noqa: ASYNC110 - another process
            await asyncio.sleep(PROBE_S)
        self._was_ready = self.is_ready = True
        self._settled.set()
        self._changed()

    async def _end_when_told(self, process: asyncio.subprocess.Process) -> None:
        await self._stop.wait()
        await self._end(process)

    async def _end_when_unwell(self, process: asyncio.subprocess.Process) -> None:
        if self.program.is_well is None:
            return
        times = 0
        while times < UNWELL_TIMES:
            await asyncio.sleep(WELL_EVERY_S)
            times = 0 if await self.program.is_well() else times + 1
        log.warning("program is unwell", extra={"action": "end", "unwell": self.program.name})
        await self._end(process)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.sleep(self.program.grace_s)
        _kill_group(process.pid)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
