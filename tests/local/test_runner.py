"""Programs are kept running, and end when they are told or when their supervisor dies."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sympozium_local.system.errors import StartError
from sympozium_local.system.home import Home
from sympozium_local.system.runner import Program, Runner

SLEEPER = "import time, pathlib, sys; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEPER


def program(tmp_path: Path, code: str, *, grace_s: float = 5.0) -> Program:
    mark = tmp_path / "mark"

    async def is_ready() -> bool:
        return mark.exists()

    command = (sys.executable, "-c", code, str(mark))
    return Program("it", command, is_ready, dict(os.environ), grace_s=grace_s)


@asynccontextmanager
async def running(tmp_path: Path, one: Program) -> AsyncIterator[Runner]:
    home = Home(tmp_path / "home")
    home.prepare()
    runner = Runner(one, home, sink=None, changed=lambda: None)
    async with asyncio.TaskGroup() as group:
        group.create_task(runner.run())
        yield runner
        runner.stop()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_program_that_dies_is_started_again(tmp_path: Path) -> None:
    async with running(tmp_path, program(tmp_path, SLEEPER)) as runner:
        await runner.ready()
        first = runner.pid
        (tmp_path / "mark").unlink()
        os.kill(first, signal.SIGKILL)
        while runner.pid in {0, first} or not runner.is_ready:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
        assert runner.restarts == 1
        assert (tmp_path / "mark").exists()


async def test_a_program_that_ignores_the_signal_is_killed_after_its_grace(tmp_path: Path) -> None:
    async with running(tmp_path, program(tmp_path, STUBBORN, grace_s=0.1)) as runner:
        await runner.ready()
        pid = runner.pid
    assert not is_alive(pid)


async def test_a_program_that_never_gets_up_says_why(tmp_path: Path) -> None:
    async with running(tmp_path, program(tmp_path, "print('no such thing'); exit(3)")) as runner:
        with pytest.raises(StartError, match=r"cannot start it: it ended 3 times.*no such thing"):
            await runner.ready()


async def test_a_program_that_cannot_run_here_is_not_started_again(tmp_path: Path) -> None:
    code = "print('it: cannot run: no room; make some'); exit(78)"
    async with running(tmp_path, program(tmp_path, code)) as runner:
        with pytest.raises(StartError, match=r"^cannot run: no room; make some; see '.*it.log'$"):
            await runner.ready()
        assert runner.restarts == 0


SUPERVISOR = """
import asyncio, os, sys
from pathlib import Path
from sympozium_local.system.home import Home
from sympozium_local.system.runner import Program, Runner

async def never(): return False

async def main():
    home = Home(Path(sys.argv[1])); home.prepare()
    command = (sys.executable, "-c", "import time; time.sleep(600)")
    def changed():
        if runner.pid: print(runner.pid, flush=True)
    program = Program("it", command, never, dict(os.environ))
    runner = Runner(program, home, sink=None, changed=changed)
    await runner.run()

asyncio.run(main())
"""


def test_a_supervisor_that_is_killed_takes_its_programs_along(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path / "home")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        pid = int(supervisor.stdout.readline())
        watch = os.pidfd_open(pid)
        supervisor.kill()
    ended, _, _ = select.select([watch], [], [], 15)
    os.close(watch)
    assert ended, "the program outlived its supervisor"
