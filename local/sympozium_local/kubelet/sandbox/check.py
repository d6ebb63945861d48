"""Whether this machine lets us keep containers apart."""

import os
import platform

from sympozium_local.kubelet.sandbox import syscalls
from sympozium_local.kubelet.sandbox.child import namespaces


def sandbox_problem() -> str:
    """Return why containers cannot be kept apart here, in words for people; "": they can.

    It is tried, not looked up: what forbids it has many names.
    """
    if platform.system() != "Linux":
        return "this is no Linux"
    if platform.machine() not in syscalls.MACHINES:
        return f"processor {platform.machine()} is not known to the sandbox"
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    try:
        pid = syscalls.fork_into(namespaces(is_isolated=True))
    except OSError as error:
        os.close(write_end)
        os.close(read_end)
        return f"it forbids new namespaces ({error})"
    if pid == 0:
        _try_mounts(write_end)
    os.close(write_end)
    problem = os.read(read_end, 1000).decode()
    os.close(read_end)
    os.waitpid(pid, 0)
    return problem


def _try_mounts(write_end: int) -> None:
    problem = "mounts in a namespace"
    try:
        syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
        os.close(syscalls.clone_tree("/usr", is_writable=False))
        syscalls.mount("proc", "/proc", "proc", syscalls.MS_NODEV | syscalls.MS_NOSUID)
        syscalls.bring_up_loopback()
        problem = "user namespaces"
        if syscalls.is_privileged():  # else this is in one already
            syscalls.unshare(syscalls.CLONE_NEWUSER)
    except OSError as error:
        os.write(write_end, f"it forbids {problem} ({error})".encode())
    finally:
        os._exit(0)
