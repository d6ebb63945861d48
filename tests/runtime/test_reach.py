"""Sync points: what the environment asks for happens at them, once, and nothing else ever does."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sympozium.runtime.reach import arm, reach
from sympozium.runtime.settings import SettingsError
from sympozium.runtime.sync_points import Point
from tests.fixtures.locks import holder

PROGRAM = """
import os
from sympozium.runtime.program import run_program
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point

async def main():
    reach(Point.ROUTER_BEFORE_ACK)
    reach(Point.ROUTER_AFTER_ACK)
    print("survived", flush=True)

run_program("router", main)
"""

FORKING = """
import os
from sympozium.runtime.reach import arm, reach
from sympozium.runtime.sync_points import Point

arm({})
if os.fork() == 0:
    os.environ["SYMPOZIUM_CRASH_AT"] = "agent.briefed"
    arm()
    reach(Point.AGENT_BRIEFED)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def run(source: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run *source* with these variables in its environment."""
    return subprocess.run(
        [sys.executable, "-c", source],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )


def test_a_program_dies_by_sigkill_at_its_point_and_says_so_in_its_log() -> None:
    done = run(PROGRAM, SYMPOZIUM_CRASH_AT="router.after-ack")
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")
    assert '"point": "router.after-ack"' in done.stderr


def test_a_program_does_not_die_at_the_point_of_another() -> None:
    done = run(PROGRAM, SYMPOZIUM_CRASH_AT="controller.after-job")
    assert (done.returncode, done.stdout) == (0, "survived\n")


def test_of_all_processes_with_one_marker_only_the_first_dies(tmp_path: Path) -> None:
    variables = {
        "SYMPOZIUM_CRASH_AT": "router.before-ack",
        "SYMPOZIUM_CRASH_MARKER": str(tmp_path / "died"),
    }
    ends = [run(PROGRAM, **variables).returncode for _ in range(3)]
    assert ends == [-signal.SIGKILL, 0, 0]


def test_a_program_dies_once_at_each_of_several_points(tmp_path: Path) -> None:
    variables = {
        "SYMPOZIUM_CRASH_AT": "router.after-ack, router.before-ack",
        "SYMPOZIUM_CRASH_MARKER": str(tmp_path / "died"),
    }
    ends = [run(PROGRAM, **variables).returncode for _ in range(3)]
    assert ends == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert {file.name for file in tmp_path.iterdir()} == {
        "died.router.before-ack", "died.router.after-ack",
    }  # fmt: skip


def test_nobody_dies_again_and_again_beside_a_marker_that_cannot_be_made(tmp_path: Path) -> None:
    marker = str(tmp_path / "no-such-folder" / "died")
    done = run(PROGRAM, SYMPOZIUM_CRASH_AT="router.before-ack", SYMPOZIUM_CRASH_MARKER=marker)
    assert (done.returncode, done.stdout) == (0, "survived\n")
    assert "marker cannot be created" in done.stderr


def test_a_wrong_name_is_a_settings_error_at_the_start() -> None:
    done = run(PROGRAM, SYMPOZIUM_CRASH_AT="router.nowhere")
    assert (done.returncode, done.stdout) == (78, "")
    assert "SYMPOZIUM_CRASH_AT is 'router.nowhere'" in done.stderr


def test_both_wrong_names_are_told_at_once() -> None:
    with pytest.raises(SettingsError, match=r"CRASH_AT is .*PAUSE_AT is"):
        arm({"SYMPOZIUM_CRASH_AT": "a.b", "SYMPOZIUM_PAUSE_AT": "c.d"})


def test_a_paused_program_goes_on_when_it_is_told_to() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "SYMPOZIUM_PAUSE_AT": "router.before-ack"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        stdout, _ = process.communicate(timeout=15)
    finally:
        process.kill()
        process.wait()
    assert stdout == b"survived\n"


def test_of_all_processes_with_one_marker_one_stops_and_has_it_locked_until_it_goes_on(
    tmp_path: Path,
) -> None:
    variables = {
        "SYMPOZIUM_PAUSE_AT": "router.before-ack, router.after-ack",
        "SYMPOZIUM_PAUSE_MARKER": str(tmp_path / "paused"),
    }
    (tmp_path / "paused.router.after-ack").touch()
    marker = tmp_path / "paused.router.before-ack"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], env={**os.environ, **variables})
    try:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert holder(marker) == process.pid
        assert run(PROGRAM, **variables).stdout == "survived\n"
        process.send_signal(signal.SIGCONT)
        assert process.wait(timeout=15) == 0
    finally:
        process.kill()
        process.wait()
    assert holder(marker) is None
    assert sorted(tmp_path.iterdir()) == [tmp_path / "paused.router.after-ack", marker]


def test_a_program_that_cannot_make_its_marker_does_not_stop(tmp_path: Path) -> None:
    marker = str(tmp_path / "no-such-folder" / "paused")
    done = run(PROGRAM, SYMPOZIUM_PAUSE_AT="router.before-ack", SYMPOZIUM_PAUSE_MARKER=marker)
    assert (done.returncode, done.stdout) == (0, "survived\n")
    assert "marker cannot be created" in done.stderr


def test_a_fork_heeds_its_own_environment_and_not_that_of_its_parent() -> None:
    assert run(FORKING).stdout == f"{-signal.SIGKILL}\n"


def test_nothing_comes_of_a_point_where_nothing_is_asked_for() -> None:
    arm({})
    for point in Point:
        reach(point)


def test_every_point_is_named_by_its_program_and_says_what_has_happened() -> None:
    assert len(Point) >= 40
    for point in Point:
        program, _, place = point.value.partition(".")
        assert program
        assert place
        assert point.meaning.endswith(".")
