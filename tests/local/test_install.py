"""`local/install.py`: what it says when it cannot, and that it does nothing twice."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

INSTALL = Path(__file__).parents[2] / "local" / "install.py"


@pytest.fixture(scope="module")
def install() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("install", INSTALL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def project(folder: Path, lock: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "requirements.lock").write_text(lock)
    (folder / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    return folder


def run(
    root: Path, *, python: str = sys.executable, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, str(INSTALL), "--root", str(root)],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(root), **environ},
        timeout=60,
        check=False,
    )


def venv_that_works(root: Path) -> None:
    """Put a virtual environment there that is this very interpreter's, without pip."""
    done = subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(root / ".venv")], check=False
    )
    assert done.returncode == 0


def test_what_is_installed_is_not_installed_again(tmp_path: Path, install: ModuleType) -> None:
    root = project(tmp_path / "p")
    venv_that_works(root)
    (root / ".venv" / ".installed").write_text(install.fingerprint(root))
    answer = run(root)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_another_lock_file_is_installed(tmp_path: Path, install: ModuleType) -> None:
    root = project(tmp_path / "p")
    before = install.fingerprint(root)
    (root / "requirements.lock").write_text("x==1 --hash=sha256:0\n")
    assert install.fingerprint(root) != before


@pytest.mark.timeout(90)  # it unpacks pip, a thousand files
def test_without_a_network_the_sentence_says_so(tmp_path: Path) -> None:
    root = project(tmp_path / "p", "nothing-of-ours==1 --hash=sha256:" + "0" * 64 + "\n")
    done = subprocess.run([sys.executable, "-m", "venv", str(root / ".venv")], check=False)
    assert done.returncode == 0
    answer = run(
        root,
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_RETRIES="0",
        PIP_CONFIG_FILE="/dev/null",
    )
    assert answer.returncode == 1
    assert answer.stderr == (
        "cannot install: no package index can be reached; connect this machine to the internet, "
        "or set PIP_INDEX_URL to a mirror that it can reach, and run it again\n"
    )


def test_a_full_disk_has_its_own_sentence(install: ModuleType) -> None:
    assert "the disk is full" in install.explain("OSError: [Errno 28] No space left on device")


def test_anything_else_shows_what_pip_said_last(install: ModuleType) -> None:
    assert "ERROR: no matching hash" in install.explain("Collecting x\nERROR: no matching hash\n")


def test_a_python_without_venv_names_debians_package(tmp_path: Path) -> None:
    root = project(tmp_path / "p")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "ensurepip.py").write_text("raise ImportError('left out by the distribution')\n")
    answer = run(root, PYTHONPATH=str(broken))
    assert answer.returncode == 1
    assert "has no venv module" in answer.stderr
    assert "sudo apt install python3-venv" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_too_old_a_python_is_told_which_is_needed(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    with pytest.raises(install.CannotInstall, match=r"is Python 3\.10\.13, and 3\.11 or newer"):
        install.check_machine()


def test_another_system_than_linux_is_told_so(install: ModuleType) -> None:
    with pytest.raises(install.CannotInstall, match="this is darwin"):
        install.check_machine("darwin")


def test_an_incomplete_checkout_is_told_so(tmp_path: Path) -> None:
    answer = run(tmp_path)
    assert answer.returncode == 1
    assert "use a complete checkout" in answer.stderr


def test_a_folder_that_cannot_be_written_is_told_so(tmp_path: Path) -> None:
    root = project(tmp_path / "p")
    (root / ".venv").write_text("a file where the environment should be")
    answer = run(root)
    assert answer.returncode == 1
    assert "cannot install in" in answer.stderr
    assert "Traceback" not in answer.stderr
