"""Dying or stopping at a named moment, where the environment asks for it.

Each program calls `arm` when it starts, so that a process that was forked heeds its
own environment and not that of its parent.
"""

import fcntl
import logging
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sympozium.runtime.settings import Reader
from sympozium.runtime.sync_points import Point

log = logging.getLogger(__name__)

CRASH_AT = "SYMPOZIUM_CRASH_AT"
CRASH_MARKER = "SYMPOZIUM_CRASH_MARKER"
PAUSE_AT = "SYMPOZIUM_PAUSE_AT"
PAUSE_MARKER = "SYMPOZIUM_PAUSE_MARKER"
VARIABLES = (CRASH_AT, CRASH_MARKER, PAUSE_AT, PAUSE_MARKER)

EXIT_KILLED = 128 + signal.SIGKILL
"""What a container's exit code says of a main process that was killed."""


@dataclass(frozen=True)
class Armed:
    """What is to happen in this process.

    Attributes:
        marker: Of all processes that are to die at a point, the one that creates the file
            of this name, with "." and the point added, does.
        pause_marker: The same for those that are to stop; whoever stops has a lock on it.
    """

    crash_at: frozenset[Point] = frozenset()
    marker: Path | None = None
    pause_at: frozenset[Point] = frozenset()
    pause_marker: Path | None = None


_POLL_S = 0.02

_armed: Armed | None = None
_paused: set[Point] = set()


def reach(point: Point) -> None:
    """Say that the program is at *point*. Nothing comes of it unless `arm` was told so."""
    if _armed is not None:
        _act(point, _armed)


def arm(environ: Mapping[str, str] | None = None) -> None:
    """Have this process heed, from now on, what the environment says.

    | variable | meaning |
    |---|---|
    | `SYMPOZIUM_CRASH_AT` | the points, with commas between, at which it dies, as by SIGKILL |
    | `SYMPOZIUM_CRASH_MARKER` | only who creates the file `<marker>.<point>` dies at a point |
    | `SYMPOZIUM_PAUSE_AT` | the points at which the process stops, once each, until SIGCONT |
    | `SYMPOZIUM_PAUSE_MARKER` | only who creates the file `<marker>.<point>` stops at a point |
    | | and has a lock on it (`F_SETLK`) until it goes on |

    A program that is started again with the same variables needs a marker that
    outlives it, or it dies at each start. Who removes a marker asks for one more.

    Raises:
        SettingsError: There is no such point.
    """
    global _armed
    reader = Reader(environ)
    accepted = "what `sympozium debug sync-points` lists"
    armed = Armed(
        reader.parsed(CRASH_AT, frozenset(), _points, accepted),
        _path(reader.text(CRASH_MARKER, "")),
        reader.parsed(PAUSE_AT, frozenset(), _points, accepted),
        _path(reader.text(PAUSE_MARKER, "")),
    )
    reader.finish()
    _armed = armed if armed.crash_at or armed.pause_at else None
    _paused.clear()


def _points(names: str) -> frozenset[Point]:
    return frozenset(Point(name.strip()) for name in names.split(","))


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def _act(point: Point, armed: Armed) -> None:
    if point in armed.crash_at and (armed.marker is None or _is_first(armed.marker, point)):
        log.warning("sync point reached", extra={"action": "crash", "point": point.value})
        _die()
    if point in armed.pause_at:
        _pause(point, armed.pause_marker)


def _is_first(marker: Path, point: Point) -> bool:
    """Create the file of *point*; False: somebody has died here before, or nobody can know."""
    file = f"{marker}.{point.value}"
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    except FileExistsError:
        return False
    except OSError as error:
        _say_passed(error)
        return False
    return True


def _say_passed(error: OSError) -> None:
    extra = {"action": "drop", "cause": error.strerror}
    log.error("sync point passed: its marker cannot be created", extra=extra)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    os._exit(EXIT_KILLED)  # pid 1 of a container cannot be killed from inside: the same without it


def _pause(point: Point, marker: Path | None) -> None:
    if marker is None:
        if point not in _paused:
            _paused.add(point)
            _stop(point)
        return
    lock = _locked(Path(f"{marker}.{point.value}"))
    if lock is not None:
        try:
            _stop(point)
        finally:
            os.close(lock)


def _locked(file: Path) -> int | None:
    """Create *file* with a lock on it from its first moment, and return what holds the lock.

    None: somebody has stopped here before, or nobody can know.
    """
    if file.exists():
        return None
    lock, name = None, file.with_name(f".{file.name}.{os.urandom(8).hex()}")
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.link(name, file)
        finally:
            os.unlink(name)
    except OSError as error:
        if not isinstance(error, FileExistsError):
            _say_passed(error)
        if lock is not None:
            os.close(lock)
        return None
    return lock


def _stop(point: Point) -> None:
    """Stop until SIGCONT; pid 1 of a container, which cannot be stopped, as far as it can."""
    log.warning("sync point reached", extra={"action": "pause", "point": point.value})
    if os.getpid() != 1:
        os.kill(os.getpid(), signal.SIGSTOP)
        return
    is_over: list[int] = []
    before = signal.signal(signal.SIGCONT, lambda number, _: is_over.append(number))
    while not is_over:
        time.sleep(_POLL_S)
    signal.signal(signal.SIGCONT, before)
