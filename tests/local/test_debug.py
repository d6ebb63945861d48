"""What `sympozium debug` says to those who look for faults."""

import json
import subprocess
import sys
from pathlib import Path

from sympozium.runtime.sync_points import Point

SYMPOZIUM = Path(sys.executable).with_name("sympozium")


def run(*arguments: str) -> str:
    """Run the command line and return what it prints; it must succeed."""
    done = subprocess.run(
        [str(SYMPOZIUM), "debug", *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_all_sync_points_are_listed_with_what_has_happened() -> None:
    lines = run("sync-points").splitlines()[1:]
    assert [line.split()[0] for line in lines] == [point.value for point in Point]
    assert all(line.endswith(".") for line in lines)


def test_the_list_can_be_read_by_a_program() -> None:
    listed = json.loads(run("sync-points", "--json"))
    assert {one["point"]: one["meaning"] for one in listed} == {p.value: p.meaning for p in Point}
