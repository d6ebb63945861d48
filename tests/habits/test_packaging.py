"""What a program may load: its image holds its own extra and nothing else."""

import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAMS = {"sympozium_router", "sympozium_controller", "sympozium_agent", "sympozium_local"}
PLATFORMS = {
    "sympozium_slack": {"slack_sdk", "slack_bolt"},
    "sympozium_telegram": {"telegram"},
    "sympozium_discord": {"discord"},
    "sympozium_web": set[str](),
}

OTHERS = {
    "sympozium_agent": {
        "kubernetes", "aiohttp", "sqlalchemy", "sympozium_router", "sympozium_controller",
        "sympozium_web", "sympozium_local",
    },
    "sympozium_router": {
        "kubernetes", "openai", "sympozium_web", "sympozium_controller", "sympozium_agent",
        "sympozium_local",
    },
    "sympozium_controller": {
        "kubernetes", "openai", "sqlalchemy", "sympozium_web", "sympozium_router",
        "sympozium_agent", "sympozium_local",
    },
}  # fmt: skip

for _own in PLATFORMS:
    _foreign = {
        name
        for other, libraries in PLATFORMS.items()
        if other != _own
        for name in (other, *libraries)
    }
    OTHERS[_own] = {"kubernetes", "sqlalchemy", "openai", "slack_bolt"} | PROGRAMS | _foreign

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(" ".join(sorted({name.split(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize("package", sorted(OTHERS))
def test_a_program_loads_nothing_of_the_others(package: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, package], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert set(answer.stdout.split()) & OTHERS[package] == set()


def test_the_lock_file_pins_by_hash_and_names_no_host() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    pins = re.findall(r"^[a-z0-9].*?(?=^\S|\Z)", lock, re.MULTILINE | re.DOTALL)
    assert pins
    assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []


def normal(name: str) -> str:
    """Return a project's name as the lock file writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_dependency_is_pinned_in_the_lock_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = chain.from_iterable(project["optional-dependencies"].values())
    wanted = [*project["dependencies"], *extras]
    names = {normal(re.split(r"[^\w.-]", one)[0]) for one in wanted} - {normal(project["name"])}
    lock = (ROOT / "requirements.lock").read_text()
    pinned = {normal(name) for name in re.findall(r"^([\w.-]+)(?:\[.*?\])?==", lock, re.MULTILINE)}
    assert len(names) > 20
    assert sorted(names - pinned) == [], "run `make lock`"


def test_import_linter_knows_every_program() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    folders = {path.parent.name for path in ROOT.glob("*/sympozium*/__init__.py")}
    assert len(folders) > 8
    assert set(rules["root_packages"]) == folders
    (programs,) = [one for one in rules["contracts"] if "containers" not in one]
    layers = " | ".join(programs["layers"]).split(" | ")
    assert sorted(layers) == sorted(folders)
