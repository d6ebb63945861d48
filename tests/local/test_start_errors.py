"""Whatever keeps the system from starting is one sentence, in the background and in front."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from sympozium_local.system.home import is_running, locked
from tests.local.command_line import CommandLine

pytestmark = pytest.mark.timeout(120)

BOTH_WAYS = pytest.mark.parametrize("up", [("up",), ("up", "-b")], ids=["front", "background"])


@contextmanager
def taken_port(sympozium: CommandLine) -> Iterator[None]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", sympozium.port))
        other.listen()
        yield


@contextmanager
def instance(sympozium: CommandLine) -> Iterator[None]:
    sympozium.home.prepare()
    with locked(sympozium.home, url="http://127.0.0.1:1"):
        yield


@contextmanager
def folder_for_a_lock(sympozium: CommandLine) -> Iterator[None]:
    sympozium.home.lock.mkdir(parents=True)
    yield


def nothing(_: CommandLine) -> AbstractContextManager[None]:
    return nullcontext()


CAUSES: dict[str, tuple[Callable[[CommandLine], AbstractContextManager[None]], dict[str, str], str]]
CAUSES = {
    "taken-port": (taken_port, {}, "cannot start the web chat on port {port}: another program"),
    "read-only-home": (
        nothing, {"SYMPOZIUM_HOME": "/proc/sympozium"}, "cannot keep state in '/proc/sympozium': ",
    ),
    "unusable-lock": (folder_for_a_lock, {}, "cannot keep state in '{home}': Is a directory; "),
    "no-port": (
        nothing, {"SYMPOZIUM_PORT": "web"}, "cannot start: SYMPOZIUM_PORT is 'web'; set it to a ",
    ),
    "no-model-address": (
        nothing, {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": "ftp://models"},
        "cannot use OPENAI_BASE_URL 'ftp://models': it is no http or https address; set it ",
    ),
}  # fmt: skip


@BOTH_WAYS
@pytest.mark.parametrize("cause", CAUSES)
def test_what_keeps_it_from_starting_is_one_sentence(
    sympozium: CommandLine, up: tuple[str, ...], cause: str
) -> None:
    given, environ, said = CAUSES[cause]
    with given(sympozium):
        answer = sympozium.run(*up, **environ)
    assert answer.returncode == 1
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    expected = said.format(port=sympozium.port, home=sympozium.home.path)
    assert line.startswith(f"sympozium: {expected}")
    assert not is_running(sympozium.home)


def test_a_second_instance_in_front_is_told_where_the_first_is(sympozium: CommandLine) -> None:
    with instance(sympozium):
        answer = sympozium.run("up")
    assert answer.returncode == 1
    assert answer.stderr == (
        f"sympozium: cannot start in '{sympozium.home.path}': Sympozium runs there already, at "
        f"http://127.0.0.1:1 (process {os.getpid()}); use it, or stop it with `make down` or "
        "`sympozium down`\n"
    )


@BOTH_WAYS
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare of util-linux")
def test_a_machine_without_user_namespaces_is_one_sentence(
    sympozium: CommandLine, up: tuple[str, ...]
) -> None:
    # A user namespace has a limit of its own for those inside it: the machine's stays as it is.
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    command = str(Path(sys.executable).with_name("sympozium"))
    answer = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh", command, *up],
        capture_output=True, text=True, env=sympozium.environ, timeout=60, check=False,
    )  # fmt: skip
    assert answer.returncode == 1
    # Before it, a start shows its steps, and in front the programs' logs.
    *before, last = answer.stderr.splitlines()
    assert last.startswith(
        "sympozium: cannot run containers on this machine: it forbids user namespaces"
    )
    assert "; run as root, or allow user namespaces (sysctl " in last
    assert [line for line in before if "Traceback" in line or "Exception" in line] == []
    said = (sympozium.home.logs / "node.log").read_text().splitlines()
    assert len(said) == 1, "the node was started again, which cannot help"
    assert not is_running(sympozium.home)
