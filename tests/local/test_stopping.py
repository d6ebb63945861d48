"""A system that does not end by itself is ended in time, with all below it, and that is said."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from sympozium_local.cli.instance import Instance, remove_traces_of, stop_instance
from sympozium_local.kubelet.limits import Amounts, find_limits
from sympozium_local.kubelet.traces import instance_of, memory_dir_of
from sympozium_local.system.home import is_running, locked
from tests.local.command_line import CommandLine

pytestmark = pytest.mark.timeout(90)

PROMISED_S = 5.0
URL = "http://127.0.0.1:1"
STUBBORN = """
import os, signal, subprocess, sys, time
from pathlib import Path
from sympozium_local.system.home import Home, locked
signal.signal(signal.SIGTERM, signal.SIG_IGN)
below = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=2)
with locked(Home(Path(sys.argv[1])), url=sys.argv[2]):
    print(below.pid, flush=True)
    time.sleep(600)
"""


@contextmanager
def stubborn(sympozium: CommandLine) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Run something in the place of a system that does not end; yield it and what is below it."""
    sympozium.home.prepare()
    command = [sys.executable, "-c", STUBBORN, str(sympozium.home.path), URL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        below = int(process.stdout.readline())
        try:
            yield process, below
        finally:
            process.kill()
            with suppress(ProcessLookupError):
                os.kill(below, signal.SIGKILL)


def clock() -> tuple[Callable[[], float], Callable[[float], None]]:
    """Return a clock that stands still, and a pause that moves it and takes no time."""
    now = [1000.0]

    def pause(seconds: float) -> None:
        now[0] += seconds

    return lambda: now[0], pause


def test_what_has_not_ended_within_the_promised_time_is_killed(sympozium: CommandLine) -> None:
    now, pause = clock()
    with stubborn(sympozium) as (process, _):
        stopped = stop_instance(Instance(sympozium.home, process.pid, URL), clock=now, pause=pause)
        assert process.wait() == -signal.SIGKILL
    assert not stopped.was_drained
    assert stopped.took_s < PROMISED_S
    assert stopped.took_s > PROMISED_S - 1, "it was hardly given time to end by itself"
    assert not is_running(sympozium.home)


@pytest.mark.parametrize("command", [("down",), ("clean", "--yes")], ids=["down", "clean"])
def test_that_something_was_killed_is_said(
    sympozium: CommandLine, command: tuple[str, ...]
) -> None:
    with stubborn(sympozium) as (process, below):
        answer = sympozium.run(*command)
        assert process.wait() == -signal.SIGKILL
        assert not has_a_process(below)
    assert answer.returncode == 0
    assert "s; what was still at work was killed." in answer.stderr


def left_behind(sympozium: CommandLine) -> list[Path]:
    """Make what a node that was killed leaves outside of its home."""
    sympozium.home.prepare()
    sympozium.home.lock.touch()
    memory = memory_dir_of(sympozium.home.node)
    (memory / "volume").mkdir(parents=True)
    instance = instance_of(sympozium.home.node)
    group = find_limits(instance).make_group("left", Amounts(64 * 2**20, 1.0))
    return [memory, *(Path(file).parent for file in group.procs_files())]


@pytest.mark.parametrize("command", [("down",), ("clean", "--yes")], ids=["down", "clean"])
def test_what_a_killed_system_left_on_the_machine_is_removed(
    sympozium: CommandLine, command: tuple[str, ...]
) -> None:
    left = left_behind(sympozium)
    assert [path for path in left if not path.exists()] == []
    assert sympozium.run(*command).returncode == 0
    assert [path for path in left if path.exists()] == []
    assert [path for path in left[1:] if path.parent.exists()] == []


def test_what_a_running_system_has_on_the_machine_is_left_to_it(sympozium: CommandLine) -> None:
    left = left_behind(sympozium)
    with locked(sympozium.home, url=URL):
        remove_traces_of(sympozium.home)
        assert [path for path in left if not path.exists()] == []
    remove_traces_of(sympozium.home)
    assert [path for path in left if path.exists()] == []


def has_a_process(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"  # ended, and nobody's to reap
    except FileNotFoundError:
        return False
