"""Sync points of what runs in the pods of runs, armed while the pods are there.

A run's pod has the points of all in its environment, and a marker in a folder of its own
volume. A new pod has no such folder, so that nobody can make a marker, and nobody dies. To
arm a point is to give a pod the folder, with every marker but the one. Who stops has a lock on it.
"""

import shutil
import uuid
from contextlib import suppress
from pathlib import Path

from sympozium.runtime.sync_points import Point
from sympozium_local.system.home import Home
from tests.fault.arming import ARMED, DIED, FOLDER, PAUSED

PROGRAMS = ("bridge", "agent", "tool")
"""What runs in the pods of runs, as their sync points call it."""

SHARED_MODE = 0o777
_IN_VOLUME = Path(FOLDER).relative_to("/ipc")


def points() -> list[Point]:
    """Return every point at which something in a run's pod may die."""
    return [point for point in Point if point.program in PROGRAMS]


def make_markers(folder: Path, wanted: list[Point], names: tuple[str, ...]) -> None:
    """Make a folder of markers for *wanted*: nobody dies, or stops, who finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(SHARED_MODE)  # who makes a marker in it is another user in each pod
    for point in wanted:
        for name in names:
            (folder / f"{name}.{point.value}").touch()


class Mine:
    """Has the first of many to come to a point die, or stop, there, in whichever pod that is."""

    def __init__(self, home: Home, point: Point, kind: str = DIED) -> None:
        self._pods = home.node / "pods"
        self._name = f"{kind}.{point.value}"
        self._laid: set[Path] = set()

    def lay(self) -> None:
        """Arm the point in every pod in which it is not yet."""
        for folder in list(self._pods.glob(f"*/volumes/ipc/{_IN_VOLUME}")):
            marker = folder / ARMED / self._name
            if marker not in self._laid:
                with suppress(FileNotFoundError):  # the pod is gone
                    _provide(folder)
                    marker.unlink()
                    self._laid.add(marker)

    def was_stepped_on(self) -> bool:
        """Return whether somebody has died, or stopped, there."""
        return any(marker.exists() for marker in self._laid)

    def take_up(self) -> list[Path]:
        """Disarm the point everywhere; return its markers."""
        for marker in self._laid:
            with suppress(FileNotFoundError, FileExistsError):  # the pod is gone; one came there
                marker.touch(exist_ok=False)
        return sorted(self._laid)


def _provide(folder: Path) -> None:
    """Give a pod its folder of markers, all of them at once, unless it has it."""
    if (folder / ARMED).exists():
        return
    fresh = folder / f".{ARMED}.{uuid.uuid4().hex}"
    try:
        make_markers(fresh, points(), (DIED, PAUSED))
        fresh.rename(folder / ARMED)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
