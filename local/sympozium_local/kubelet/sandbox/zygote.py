"""The zygote: a warm, single-threaded parent from which containers are forked.

It has imported what agent containers need, so a fork of it is at their code in milliseconds
instead of the better part of a second. It reads no secret and no environment; what a container is
given arrives in a message of its own and is read only after the fork.

    python -m sympozium_local.kubelet.sandbox.zygote FD [MODULE ...]
"""

import asyncio
import gc
import importlib
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from types import ModuleType

import msgspec

from sympozium_local.kubelet.sandbox import syscalls
from sympozium_local.kubelet.sandbox.check import sandbox_problem
from sympozium_local.kubelet.sandbox.child import become_container, namespaces
from sympozium_local.kubelet.sandbox.plan import ContainerPlan, Forked, Refused

READY = b"ready"
START = b"start"
START_ISOLATED = b"start isolated"
_NOT_IN_THE_IMAGE = ("aiohttp", "trio")

_encode = msgspec.json.Encoder().encode
_plans = msgspec.json.Decoder(ContainerPlan)


def serve(kubelet: socket.socket) -> None:
    """Fork a container for every message, until the kubelet's end of the socket closes.

    A message brings three descriptors: the plan (a memory file), the container's end of its
    control socket, and where its output goes.
    """
    signal.signal(signal.SIGCHLD, _reap)
    while True:
        data, fds = syscalls.receive(kubelet, 64)
        if not data:
            return
        plan_fd, control_fd, log_fd = fds
        with socket.socket(fileno=control_fd) as control:
            try:
                pid = syscalls.fork_into(namespaces(is_isolated=data == START_ISOLATED))
            except OSError as error:
                control.send(_encode(Refused(f"cannot make namespaces: {error}")))
            else:
                if pid == 0:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    kubelet.close()
                    become_container(_read_plan(plan_fd), control, log_fd)
                control.send(_encode(Forked(pid)))
        os.close(plan_fd)
        os.close(log_fd)


def _read_plan(plan_fd: int) -> ContainerPlan:
    data = os.pread(plan_fd, os.fstat(plan_fd).st_size, 0)
    os.close(plan_fd)
    return _plans.decode(data)


def _reap(*_: object) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def preload(modules: list[str]) -> None:
    """Import *modules*, exercise the slow first times, and set the heap aside for sharing.

    Libraries that find aiohttp or trio load them, which doubles what every fork must copy. Both
    are installed here, but not in the agent image.
    """
    for name in _NOT_IN_THE_IMAGE:
        sys.modules[name] = None  # type: ignore[assignment]  # "absent" for the import system
    loaded = []
    for name in modules:
        with suppress(ModuleNotFoundError):  # a container that needs it says so in its own log
            loaded.append(importlib.import_module(name))
    asyncio.run(_warm_up(loaded))
    for name in _NOT_IN_THE_IMAGE:
        del sys.modules[name]
    gc.collect()
    gc.freeze()


async def _warm_up(loaded: list[ModuleType]) -> None:
    """Do once what is slow the first time: a module that knows such a thing has a `warm_up`."""
    _plans.decode(_encode(ContainerPlan(hostname="", argv=[], env={})))
    for module in loaded:
        if hasattr(module, "warm_up"):
            await module.warm_up()


def main() -> None:
    """Load what was named on the command line, say so, and fork until told to end."""
    syscalls.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as kubelet:
        kubelet.set_inheritable(False)
        if problem := sandbox_problem():
            kubelet.send(problem.encode())
            return
        preload(sys.argv[2:])
        if threading.active_count() != 1:
            raise RuntimeError("cannot fork containers: a preloaded module started a thread")
        kubelet.send(READY)
        serve(kubelet)


if __name__ == "__main__":
    main()
