"""What is run before a change lands says so when it could not look at a real cluster."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = ROOT / ".ci" / "run"
USED = ("bash", "dirname", "id", "ls")
"""Of the machine; what installs packages is not among it."""

Check = Callable[[str], subprocess.CompletedProcess[str]]


def program(path: Path, text: str) -> None:
    """Write a program that notes how it was called, in `calls` beside it."""
    note = f'echo "{path.name} $*" >> "{path.parent}/calls"'
    path.write_text(f"#!{shutil.which('bash')}\n{note}\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Run the check beside a cluster program with this body; without one where it is empty."""

    def run(cluster: str) -> subprocess.CompletedProcess[str]:
        for name in USED:
            (tmp_path / name).symlink_to(str(shutil.which(name)))
        for name in ("make", "chromium"):
            program(tmp_path / name, "")
        if cluster:
            program(tmp_path / "cluster", cluster)
        return subprocess.run(
            ["bash", str(RUN)],
            env={"PATH": str(tmp_path), "SYMPOZIUM_TEST_CLUSTER": str(tmp_path / "cluster")},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    return run


def calls(folder: Path) -> list[str]:
    """Return how programs were called, without the name of the cluster."""
    return [" ".join(line.split()[:2]) for line in (folder / "calls").read_text().splitlines()]


def test_a_cluster_that_does_not_start_is_said_loudly(check: Check, tmp_path: Path) -> None:
    done = check('[ "$1" != up ]')
    assert done.returncode == 0, done.stderr
    assert "NOT TESTED ON A REAL CLUSTER" in done.stderr
    assert calls(tmp_path) == ["make test", "cluster up", "cluster down"]


def test_where_no_cluster_can_be_had_that_is_said_loudly(check: Check) -> None:
    done = check("")
    assert done.returncode == 0, done.stderr
    assert "NOT TESTED ON A REAL CLUSTER" in done.stderr


def test_tests_that_fail_on_the_cluster_are_a_failure(check: Check, tmp_path: Path) -> None:
    done = check('[ "$1" = up ] && echo "exit 3" >> "${0%cluster}make"; true')
    assert done.returncode != 0
    assert calls(tmp_path) == ["make test", "cluster up", "make test-kube", "cluster down"]


def test_the_cluster_is_ended_after_its_tests(check: Check, tmp_path: Path) -> None:
    done = check("true")
    assert done.returncode == 0, done.stderr
    assert calls(tmp_path) == ["make test", "cluster up", "make test-kube", "cluster down"]
