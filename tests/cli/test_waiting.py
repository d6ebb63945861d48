"""A cluster that takes its time is seen to be asked."""

import sys
import threading
from pathlib import Path

import pytest
from typing_extensions import override

from sympozium.contract.resources import Object
from tests.cli.kubeconfigs import write
from tests.cli.stand_in import Front
from tests.local.command_line import CommandLine
from tests.local.terminal import on_a_terminal

pytestmark = pytest.mark.timeout(90)


class Slow(dict[str, Object]):
    """Answers of a server that takes its time.

    Attributes:
        go: Set when it may answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    @override
    def get(self, key: str, default: object = None, /) -> Object | None:  # type: ignore[override] # as it is called
        self.go.wait(60)
        return None


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "list"),
        ("runs", "show", "run-1"),
        ("runs", "logs", "run-1"),
        ("runs", "cancel", "run-1"),
        ("status",),
        ("dead", "list"),
        ("chat", "hello"),
    ],
    ids=" ".join,
)
def test_a_cluster_that_takes_its_time_is_seen_to_be_asked(
    sympozium: CommandLine, scripted: Front, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    scripted.answers = slow = Slow()
    file = write(tmp_path / "config", scripted.kubeconfig())
    command = [str(Path(sys.executable).with_name("sympozium")), *arguments]
    environ = sympozium.environ | {"KUBECONFIG": str(file)}
    try:
        with on_a_terminal(command, environ) as terminal:
            terminal.wait_for("asking the cluster")
            slow.go.set()
            terminal.end()
    finally:
        slow.go.set()
    assert terminal.process.returncode != 0, "it was there after all"
    assert "\x1b[2Ksympozium: cannot " in terminal.shown, "the line that moves was left there"
