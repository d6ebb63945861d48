"""What commands say and return where there is no system."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sympozium.contract.crds import DEFINITIONS
from tests.local.command_line import CommandLine

PROGRAM = str(Path(sys.executable).with_name("sympozium"))
EVERYTHING = (
    "up", "down", "chat", "runs", "channel", "dead", "doctor", "status", "kubeconfig", "crds",
    "version", "clean",
)  # fmt: skip


def test_help_names_every_command_and_shows_how_to_begin(sympozium: CommandLine) -> None:
    answer = sympozium.run("--help")
    assert answer.returncode == 0
    assert [name for name in EVERYTHING if name not in answer.stdout] == []
    assert "sympozium up --background" in answer.stdout


@pytest.mark.parametrize("command", ["up", "chat", "status", "clean"])
def test_each_command_has_help(sympozium: CommandLine, command: str) -> None:
    answer = sympozium.run(command, "--help")
    assert answer.returncode == 0
    assert "--" in answer.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("chat", "hello"),
        ("runs", "list"),
        ("status",),
        ("kubeconfig",),
        ("doctor",),
        ("channel", "list"),
        ("dead", "list"),
        ("channel", "add", "telegram"),
    ],
)
def test_without_a_system_commands_say_so_with_exit_code_3(
    sympozium: CommandLine, arguments: tuple[str, ...]
) -> None:
    answer = sympozium.run(*arguments)
    assert answer.returncode == 3
    assert str(sympozium.home.path) in answer.stderr
    assert "start it with `sympozium up --background` or `make up`" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("chat", "hello", "-c", "no/slash"),
        ("chat", "  "),
        ("runs", "list", "-o", "xml"),
        ("nope",),
        ("dead", "drop", "1"),
        ("dead", "retry"),
        ("dead", "retry", "1", "--all"),
        ("dead", "list", "--stream", "inbocks"),
    ],
)
def test_wrong_usage_has_exit_code_2(sympozium: CommandLine, arguments: tuple[str, ...]) -> None:
    answer = sympozium.run(*arguments)
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr


def test_down_without_a_system_is_no_error(sympozium: CommandLine) -> None:
    answer = sympozium.run("down")
    assert (answer.returncode, answer.stderr) == (0, f"Nothing runs in {sympozium.home.path}.\n")


def test_a_home_that_cannot_be_written_is_one_sentence(sympozium: CommandLine) -> None:
    answer = sympozium.run("up", "-b", SYMPOZIUM_HOME="/proc/sympozium")
    assert answer.returncode == 1
    assert answer.stderr.startswith("sympozium: cannot keep state in '/proc/sympozium'")
    assert "SYMPOZIUM_HOME" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_clean_asks_and_deletes_nothing_that_is_not_ours(sympozium: CommandLine) -> None:
    sympozium.home.path.mkdir()
    (sympozium.home.path / "thesis.txt").touch()
    answer = sympozium.run("clean", "--yes")
    assert answer.returncode == 1
    assert "look at what SYMPOZIUM_HOME says" in answer.stderr
    assert (sympozium.home.path / "thesis.txt").exists()


def test_clean_without_a_terminal_wants_yes(sympozium: CommandLine) -> None:
    sympozium.home.prepare()
    sympozium.home.lock.touch()
    answer = sympozium.run("clean")
    assert answer.returncode == 1
    assert "add --yes" in answer.stderr
    assert sympozium.run("clean", "--yes").returncode == 0
    assert not sympozium.home.path.exists()


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare of util-linux")
def test_clean_of_a_home_that_cannot_be_written_is_one_sentence(sympozium: CommandLine) -> None:
    home = sympozium.home
    home.prepare()
    home.lock.touch()
    (home.logs / "node.log").touch()
    # In a mount namespace of its own, where even root cannot write there.
    forbid = (
        'mount --bind "$SYMPOZIUM_HOME/logs" "$SYMPOZIUM_HOME/logs" '
        '&& mount -o remount,bind,ro "$SYMPOZIUM_HOME/logs" && exec "$0" clean --yes'
    )
    answer = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", forbid, PROGRAM],
        capture_output=True, text=True, env=sympozium.environ, timeout=60, check=False,
    )  # fmt: skip
    assert answer.returncode == 1
    (line,) = answer.stderr.splitlines()
    assert line == (
        f"sympozium: cannot delete '{home.logs}': Read-only file system; make it writable for this "
        "user and run `sympozium clean` again"
    )
    assert home.lock.exists(), "the next clean would take the home for somebody else's"
    assert sympozium.run("clean", "--yes").returncode == 0
    assert not home.path.exists()


def test_crds_are_printed_as_yaml(sympozium: CommandLine) -> None:
    answer = sympozium.run("crds")
    assert answer.stdout.count("kind: CustomResourceDefinition") == len(DEFINITIONS)
