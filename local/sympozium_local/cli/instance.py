"""The running system, as commands find it."""

import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from sympozium.contract.errors import PermanentError
from sympozium_local.system.errors import NotRunningError
from sympozium_local.system.home import (
    Home,
    at_rest,
    find_home,
    is_running,
    read_holder,
    read_json,
)
from sympozium_local.system.process import descendants

DRAIN_S = 4.7
"""How long a system may take to end by itself: what is killed then has ended within 5 seconds."""

LOOK_EVERY_S = 0.02
KILLED_WITHIN_S = 5.0
"""How long the kernel may take to end what was killed, on a machine that stands still."""


@dataclass(frozen=True)
class Instance:
    """A system that runs now."""

    home: Home
    pid: int
    url: str

    def status(self) -> dict[str, Any]:
        """Return what the supervisor says of its programs."""
        return read_json(self.home.status)


def find_instance() -> Instance | None:
    """Return the system that runs in this user's home, or None."""
    home = find_home()
    if not is_running(home):
        return None
    holder = read_holder(home)
    return Instance(home, int(holder["pid"]), str(holder["url"]))


def need_instance() -> Instance:
    """Return the running system.

    Raises:
        NotRunningError: There is none.
    """
    instance = find_instance()
    if instance is None:
        raise NotRunningError(
            f"cannot find a running system in '{find_home().path}': none was started there, or it "
            "ended; start it with `sympozium up --background` or `make up`"
        )
    return instance


@dataclass(frozen=True)
class Stopped:
    """How a system ended.

    Attributes:
        was_drained: Whether all that was at work had ended by itself.
    """

    took_s: float
    was_drained: bool

    @override
    def __str__(self) -> str:
        """Say it to whoever stopped it."""
        killed = "" if self.was_drained else "; what was still at work was killed"
        return f"Stopped in {self.took_s:.1f} s{killed}."


def stop_instance(
    instance: Instance,
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Stopped:
    """End the system: politely for `DRAIN_S` seconds, then by force, with all below it.

    What is killed loses nothing: every program may be killed at any line, and what it had
    taken in and not finished is delivered again.
    """
    begun = clock()
    try:
        os.kill(instance.pid, signal.SIGTERM)
    except ProcessLookupError:
        return Stopped(clock() - begun, was_drained=True)
    while is_running(instance.home):
        if clock() - begun >= DRAIN_S:
            _kill([instance.pid, *descendants(instance.pid)])
            return Stopped(clock() - begun, was_drained=False)
        pause(LOOK_EVERY_S)
    return Stopped(clock() - begun, was_drained=True)


def _kill(pids: Sequence[int]) -> None:
    """Kill processes, and return when they have ended."""
    with ExitStack() as opened:
        ending: list[int] = []
        for pid in pids:
            with suppress(ProcessLookupError):
                ending.append(os.pidfd_open(pid))
                opened.callback(os.close, ending[-1])
                os.kill(pid, signal.SIGKILL)
        for one in ending:
            select.select([one], [], [], KILLED_WITHIN_S)


def remove_traces_of(home: Home) -> None:
    """Remove what a system that was killed left outside of its home, unless one runs there."""
    from sympozium_local.kubelet.traces import remove_traces  # which other commands need not load

    with at_rest(home) as is_at_rest:
        if is_at_rest:
            remove_traces(home.node)


def delete_home(home: Home) -> None:
    """Delete all that a home holds, and at last what tells that it is one.

    Raises:
        PermanentError: Something of it cannot be deleted. The rest may be gone; the same again
            deletes what was left.
    """
    entry = home.path
    try:
        for entry in home.path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry != home.lock:
                entry.unlink()
        shutil.rmtree(home.path)
    except OSError as error:
        raise PermanentError(
            f"cannot delete '{entry}': {error.strerror or error}; make it "
            "writable for this user and run `sympozium clean` again"
        ) from error
