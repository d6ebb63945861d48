"""What `make` says, and that the chart's CRDs are those of the contract."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sympozium_local import crd_files

ROOT = Path(__file__).parents[2]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        timeout=30,
        check=False,
    )


def test_make_alone_shows_every_target_with_its_purpose() -> None:
    answer = make()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert answer.returncode == 0
    shown = set(re.findall(r"^  make ([a-z-]+) +\S", answer.stdout, re.MULTILINE))
    assert shown == targets


def test_make_up_with_an_old_python_is_one_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python3.10"
    old.write_text(
        "#!/bin/sh\n"
        f'exec "{sys.executable}" -c "import runpy, sys; sys.version_info = (3, 10, 13); '
        'sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name=\'__main__\')" "$@"\n'
    )
    old.chmod(0o755)
    answer = make("up", f"PYTHON={old}")
    assert answer.returncode != 0
    assert "is Python 3.10.13, and 3.11 or newer is needed" in answer.stderr
    assert "make up PYTHON=" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_crds_that_drifted_from_the_contract_are_named(tmp_path: Path) -> None:
    for chart in ("sympozium-crds", "sympozium/charts/sympozium-crds"):
        (tmp_path / chart).mkdir(parents=True)
    (tmp_path / "sympozium-crds" / "Chart.yaml").write_text("name: sympozium-crds\n")
    crd_files.write(tmp_path)
    assert crd_files.drift(tmp_path) == []
    definitions = tmp_path / "sympozium-crds" / "definitions"
    (definitions / "agents.sympozium.ai.yaml").write_text("changed by hand\n")
    (definitions / "left.yaml").write_text("of a kind that is no more\n")
    (tmp_path / "sympozium" / "charts" / "sympozium-crds" / "Chart.yaml").unlink()
    assert crd_files.drift(tmp_path) == [
        "sympozium-crds/definitions/agents.sympozium.ai.yaml",
        "sympozium-crds/definitions/left.yaml",
        "sympozium/charts/sympozium-crds/Chart.yaml",
    ]
    crd_files.write(tmp_path)
    assert crd_files.drift(tmp_path) == []


def test_the_crds_in_the_chart_are_those_of_the_contract() -> None:
    assert crd_files.drift() == [], "run `make crds`"
