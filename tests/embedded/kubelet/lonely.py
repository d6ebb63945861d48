"""What `test_alone` runs in a container: looks around, or refuses to end."""

import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, CLONE_NEWUSER = 1, 2, 0x10000000

_libc = ctypes.CDLL(None, use_errno=True)


def attempt(result: int) -> str:
    """Say in a word what came of a system call."""
    return "" if result == 0 else OSError(ctypes.get_errno(), "").__class__.__name__


def tried(do: Callable[[], object]) -> str:
    """Say in a word what came of it."""
    try:
        do()
    except OSError as error:
        return type(error).__name__
    return ""


def look() -> None:
    """Print what this process may and sees."""
    ends_by = ctypes.c_int()
    _libc.prctl(PR_GET_PDEATHSIG, ctypes.byref(ends_by))
    status = Path("/proc/self/status").read_text()
    found = {
        "status": dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line),
        "uid": [*os.getresuid(), *os.getresgid(), *os.getgroups()],
        "fds": sorted(os.listdir("/proc/self/fd")),
        "pids": sorted(name for name in os.listdir("/proc") if name.isdigit()),
        "environ": dict(os.environ),
        "ends by": ends_by.value,
        "outlive": attempt(_libc.prctl(PR_SET_PDEATHSIG, 0)),
        "namespaces": attempt(_libc.unshare(CLONE_NEWUSER)),
        "root": tried(lambda: Path("/planted").touch()),
        "usr": tried(lambda: Path("/usr/planted").touch()),
        "sysctl": tried(lambda: Path("/proc/sys/kernel/core_pattern").open("w").close()),
        "home": tried(lambda: os.listdir(Path(sys.prefix).parents[-2] / "planted")),
        "mounts": Path("/proc/self/mounts").read_text(),
    }
    sys.stdout.write(json.dumps(found))


def stay() -> None:
    """Ignore whatever may be ignored, try not to end with the parent, and never end."""
    if sys.argv[1:] == ["stubborn"]:
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            with suppress(OSError):
                signal.signal(number, signal.SIG_IGN)
        _libc.prctl(PR_SET_PDEATHSIG, 0)
    sys.stdout.write("here\n")
    while True:
        signal.pause()


def serve() -> None:
    """Say where this is to whoever connects."""
    with socket.create_server(("127.0.0.1", 8001)) as server:
        sys.stdout.write("here\n")
        while True:
            connection, _ = server.accept()
            connection.sendall(b"from inside")
            connection.close()


def main() -> None:
    """Do what the first argument says."""
    if sys.argv[1:] == ["look"]:
        look()
    elif sys.argv[1:] == ["serve"]:
        serve()
    else:
        stay()
