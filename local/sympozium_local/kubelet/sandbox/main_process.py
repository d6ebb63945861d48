"""What a container's own processes do last: give up every right, and become its code."""

import importlib
import os
import resource
import sys
import threading
import traceback
from contextlib import suppress
from typing import NoReturn

from sympozium_local.kubelet.sandbox import syscalls
from sympozium_local.kubelet.sandbox.plan import ContainerPlan
from sympozium_local.kubelet.sandbox.seccomp import forbid_system_calls

START_ERROR = 128
"""Exit code of a container whose command could not be executed, as a container runtime's."""

_MAX_FD = 1024


def connect_output(output_fd: int) -> None:
    """Begin a session of this process' own, without input, that writes to *output_fd*."""
    os.setsid()
    null = os.open("/dev/null", os.O_RDONLY)
    for source, target in ((null, 0), (output_fd, 1), (output_fd, 2)):
        os.dup2(source, target)


def give_up_rights(plan: ContainerPlan, *, is_root: bool, is_first: bool = False) -> None:
    """Become the user of *plan*, without a capability and without a way to gain one.

    Args:
        plan: Whose container this is.
        is_root: The user is another one than so far, and mapped into this user namespace.
        is_first: This is pid 1. It ends with its parent, whatever it does.
    """
    if is_root:
        os.setresgid(plan.gid, plan.gid, plan.gid)
        os.setresuid(plan.uid, plan.uid, plan.uid)
    syscalls.drop_capabilities()
    if is_first:
        syscalls.die_with_parent()  # again: becoming somebody else has undone it
    forbid_system_calls(may_outlive_parent=not is_first)
    syscalls.set_dumpable(True)


def prepare_code(plan: ContainerPlan) -> None:
    """Set what the container's code finds around it, apart from its environment."""
    os.umask(0o022)
    os.chdir(plan.cwd)
    if most := plan.most_processes:
        _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
    if limit := plan.memory_rlimit_bytes:  # last: this fork may be larger than it
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def run_module(plan: ContainerPlan) -> NoReturn:
    """Run ``main()`` of the plan's module as ``python -m`` would, and end this process."""
    os.closerange(3, _MAX_FD)
    os.environ.clear()
    os.environ.update(plan.env)
    sys.argv = [plan.module, *plan.argv[3:]]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # both are text files
    code: int | str | None
    try:
        code = importlib.import_module(plan.module).main()
    except SystemExit as ending:
        code = ending.code
    except BaseException:  # noqa: BLE001 - what the interpreter does at its outermost level
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        sys.stderr.write(code + "\n")
        code = 1
    with suppress(Exception):
        threading._shutdown()  # type: ignore[attr-defined]  # wait for threads, as at any exit
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code or 0)
