"""The running system, as commands find it."""

import os
import shutil
import signal
import time
from dataclasses import dataclass
from typing import Any

from sympozium.contract.errors import PermanentError
from sympozium_local.system.errors import NotRunningError
from sympozium_local.system.home import Home, find_home, is_running, read_holder, read_json

DOWN_TIMEOUT_S = 8.0


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


def stop_instance(instance: Instance) -> float:
    """End the system and return how many seconds it took."""
    begun = time.monotonic()
    try:
        os.kill(instance.pid, signal.SIGTERM)
        while is_running(instance.home):
            if time.monotonic() - begun > DOWN_TIMEOUT_S:
                os.kill(instance.pid, signal.SIGKILL)  # its programs die with it
            time.sleep(0.02)
    except ProcessLookupError:
        pass
    return time.monotonic() - begun


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
