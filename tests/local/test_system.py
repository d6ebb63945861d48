"""The whole system through its command line: what it keeps, and that nothing of it stays behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sympozium_local.system.home import is_running, read_holder
from sympozium_local.system.process import descendants
from tests.local.command_line import CommandLine

pytestmark = pytest.mark.timeout(120)

QUESTION = "which pods run here?"


def processes(sympozium: CommandLine) -> list[int]:
    """Return the supervisor of the running system and every process below it."""
    supervisor = int(read_holder(sympozium.home)["pid"])
    return [supervisor, *descendants(supervisor)]


def still_there(pid: int) -> bool:
    """Return whether a process runs; one that has ended and is not reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/exe").exists()
    except PermissionError:  # it is there, and not for us to look into
        return True


def have_ended(pids: list[int], *, within_s: float = 20.0) -> bool:
    deadline = time.monotonic() + within_s
    while any(still_there(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def ready_status(sympozium: CommandLine) -> dict[str, Any]:
    """Return the status once every pod is reported as ready, too."""
    deadline = time.monotonic() + 20
    while (status := sympozium.run("status", "--json")).returncode:
        assert time.monotonic() < deadline, status.stdout
    told: dict[str, Any] = json.loads(status.stdout)
    return told


def test_a_system_answers_and_keeps_everything_from_start_to_start(sympozium: CommandLine) -> None:
    up = sympozium.run("up", "--background", "--ask", QUESTION)
    assert up.returncode == 0, up.stderr
    for name in ("nats-server", "apiserver", "node", "controller", "router", "web chat"):
        assert name in up.stderr
    assert "channel-web" in up.stdout
    assert f"http://127.0.0.1:{sympozium.port}" in up.stderr
    assert str(sympozium.home.kubeconfig) in up.stderr

    again = sympozium.run("up", "--background")
    assert again.returncode == 0
    assert f"runs already: web chat at http://127.0.0.1:{sympozium.port}" in again.stderr
    in_front = sympozium.run("up")
    assert in_front.returncode == 1
    assert "stop it with `make down` or `sympozium down`" in in_front.stderr

    status = ready_status(sympozium)
    programs = {one["name"]: one for one in status["programs"]}
    assert all(one["pid"] and one["memory_bytes"] for one in programs.values())
    assert {"supervisor", "nats-server", "apiserver", "node", "demo-model"} <= programs.keys()

    (run,) = json.loads(sympozium.run("runs", "list", "-o", "json").stdout)
    name = run["metadata"]["name"]
    assert run["status"]["phase"] == "Succeeded"
    assert QUESTION in sympozium.run("runs", "show", name).stdout
    assert "==> agent <==" in sympozium.run("runs", "logs", name).stdout
    ended = sympozium.run("runs", "cancel", name)
    assert ended.returncode == 1
    assert "it ended already (Succeeded)" in ended.stderr

    pids = processes(sympozium)
    assert sympozium.run("down").returncode == 0
    assert have_ended(pids)
    assert sympozium.run("status").returncode == 3

    assert sympozium.run("up", "-b").returncode == 0
    assert name in sympozium.run("runs", "list").stdout
    follow_up = sympozium.run("chat", "and the first one?", "-c", "first-steps")
    assert follow_up.returncode == 0
    assert "channel-web" in follow_up.stdout, "the conversation was forgotten"

    assert sympozium.run("clean", "--yes").returncode == 0
    assert not sympozium.home.path.exists()


def test_a_killed_system_leaves_nothing_and_starts_again(sympozium: CommandLine) -> None:
    assert sympozium.run("up", "-b").returncode == 0
    pids = processes(sympozium)
    os.kill(pids[0], signal.SIGKILL)
    assert have_ended(pids)
    assert not is_running(sympozium.home)
    assert sympozium.run("up", "-b").returncode == 0
    answer = sympozium.run("chat", "--json", "hello")
    assert answer.returncode == 0
    assert json.loads(answer.stdout)["error"] is None
    talk = sympozium.run("chat", "-c", "talk", stdin="hello\n/nothing\n/new\nhello\n/quit\nmore\n")
    assert talk.returncode == 0
    assert talk.stdout.count("Hello.") == 2
    assert "there are /new and /quit" in talk.stderr


def pid_of(sympozium: CommandLine, program: str) -> int:
    """Return the process of a program, as soon as there is one."""
    deadline = time.monotonic() + 20
    while True:
        status = json.loads(sympozium.run("status", "--json").stdout)
        (pid,) = [one["pid"] for one in status["programs"] if one["name"] == program]
        if pid:
            return int(pid)
        assert time.monotonic() < deadline, status


def test_programs_that_die_are_back_and_questions_are_answered(sympozium: CommandLine) -> None:
    assert sympozium.run("up", "-b").returncode == 0
    for program in ("nats-server", "apiserver", "node"):
        os.kill(pid_of(sympozium, program), signal.SIGKILL)
        answer = sympozium.run("chat", QUESTION)
        assert answer.returncode == 0, (program, answer.stderr)


def test_a_taken_port_is_one_sentence(sympozium: CommandLine) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", sympozium.port))
        other.listen()
        answer = sympozium.run("up", "-b")
    assert answer.returncode == 1
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"sympozium: cannot start the web chat on port {sympozium.port}")
    assert "SYMPOZIUM_PORT=" in line
    assert not is_running(sympozium.home)


def test_in_the_foreground_logs_are_shown_and_an_interrupt_stops(sympozium: CommandLine) -> None:
    command = [str(Path(sys.executable).with_name("sympozium")), "up"]
    with subprocess.Popen(
        command, env=sympozium.environ, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        shown: list[str] = []
        for line in process.stderr:
            shown.append(line)
            if "Ctrl-C stops it." in line:
                break
        pids = processes(sympozium)
        process.send_signal(signal.SIGINT)
        shown += process.stderr
    assert process.returncode == 0
    assert shown[-1] == "Stopped.\n"
    assert any(line.startswith("apiserver") for line in shown)
    assert have_ended(pids)
