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
import select
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
from sympozium_local.kubelet.sandbox.plan import (
    ContainerPlan,
    Exited,
    Forked,
    Refused,
    Report,
    Start,
)
from sympozium_local.kubelet.sandbox.seccomp import prepared

READY = b"ready"
_NOT_IN_THE_IMAGE = ("aiohttp", "trio")
_SELDOM = (10_000, 10, 10)
"""How many objects come to be in a container before the collector looks through the youngest.

By default it is 700: each start would look through what it has just made, again and again.
"""

_encode = msgspec.json.Encoder().encode
_starts = msgspec.json.Decoder(Start)
_plans = msgspec.json.Decoder(ContainerPlan)


class Zygote:
    """Forks containers, and tells of the end of those in which nobody is left who could."""

    def __init__(self, kubelet: socket.socket) -> None:
        self._kubelet = kubelet
        self._alone: dict[int, socket.socket] = {}
        self._wake_r, wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Fork a container for every message, until the kubelet's end of the socket closes."""
        told = self._kubelet.fileno()
        while True:
            ready, _, _ = select.select((told, self._wake_r), (), ())
            if self._wake_r in ready:
                os.read(self._wake_r, 512)
            self._reap()
            if told in ready:
                data, fds = syscalls.receive(self._kubelet, 64)
                if not data:
                    return
                self._start(_starts.decode(data), *fds)

    def _start(self, start: Start, plan_fd: int, control_fd: int, log_fd: int) -> None:
        """Fork a container.

        Args:
            start: What to know of it before.
            plan_fd: Its plan, as a memory file.
            control_fd: Its end of the socket to the kubelet.
            log_fd: Where its output goes.
        """
        control = socket.socket(fileno=control_fd)
        report: Report
        try:
            pid = syscalls.fork_into(namespaces(is_isolated=start.is_isolated))
        except OSError as error:
            pid, report = -1, Refused(f"cannot make namespaces: {error}")
        else:
            report = Forked(pid)
        if pid == 0:
            self._forget()
            become_container(_read_plan(plan_fd), control, log_fd)
        _tell(control, report)
        if start.is_alone and pid > 0:
            self._alone[pid] = control
        else:
            control.close()
        os.close(plan_fd)
        os.close(log_fd)

    def _forget(self) -> None:
        """Let go, in a fork, of what is the zygote's and of other containers."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._kubelet.close()
        for control in self._alone.values():
            control.close()

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                control = self._alone.pop(found[0], None)
                if control is not None:
                    _tell(control, Exited(syscalls.exit_code(found[1])))
                    control.close()


def _tell(control: socket.socket, report: Report) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # the kubelet has let go of it
        control.send(_encode(report))


def _read_plan(plan_fd: int) -> ContainerPlan:
    data = os.pread(plan_fd, os.fstat(plan_fd).st_size, 0)
    os.close(plan_fd)
    return _plans.decode(data)


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
    gc.set_threshold(*_SELDOM)
    gc.collect()
    gc.freeze()
    syscalls.collapse_heap()


async def _warm_up(loaded: list[ModuleType]) -> None:
    """Do once what is slow the first time: a module that knows such a thing has a `warm_up`."""
    _plans.decode(_encode(ContainerPlan(hostname="", argv=[], env={})))
    for may_outlive_parent in (False, True):
        prepared(may_outlive_parent=may_outlive_parent)
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
        Zygote(kubelet).serve()


if __name__ == "__main__":
    main()
