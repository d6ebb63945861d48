"""A machine that does not enforce all limits of containers says so wherever one looks."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.command_line import CommandLine

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare of util-linux"),
]

HIDE_GROUPS = 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"'
WITHOUT_GROUPS = ("unshare", "--mount", "sh", "-c", HIDE_GROUPS, "sh")
"""Runs a command where there are no control groups. Whoever is not root can make none anyway."""

SENTENCE = "this machine lets us make no control groups: processor time"


def test_a_machine_without_control_groups_says_what_it_does_not_limit(
    sympozium: CommandLine,
) -> None:
    program = str(Path(sys.executable).with_name("sympozium"))
    runner = WITHOUT_GROUPS if os.geteuid() == 0 else ()
    up = subprocess.run(
        [*runner, program, "up", "--background"],
        capture_output=True, text=True, env=sympozium.environ, timeout=90, check=False,
    )  # fmt: skip
    assert up.returncode == 0, up.stderr
    (warned,) = [line for line in up.stderr.splitlines() if SENTENCE in line]
    assert warned.split()[0] == "WARNING"
    status = sympozium.run("status")
    assert SENTENCE in status.stdout
    assert SENTENCE in json.loads(sympozium.run("status", "--json").stdout)["shortfall"]
    doctor = sympozium.run("doctor")
    assert SENTENCE in doctor.stdout + doctor.stderr
    assert sympozium.run("down").returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make control groups")
def test_a_machine_with_control_groups_has_nothing_to_say(sympozium: CommandLine) -> None:
    up = sympozium.run("up", "--background")
    assert up.returncode == 0, up.stderr
    assert "control groups" not in up.stderr
    assert "control groups" not in sympozium.run("status").stdout
    assert sympozium.run("down").returncode == 0
