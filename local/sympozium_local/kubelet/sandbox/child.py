"""From a fork of the zygote to the container's own code.

The *first process* is forked into the container's namespaces, where it is pid 1, and builds the
root. As a rule it then starts the *main process*, which gives up every right and runs the
container's code, and obeys the kubelet over a socket: it runs further commands, hands out sockets
of the container's network, passes signals on. When the kubelet's end of the socket closes, for
whatever reason, the first process ends, and the kernel ends everything in its pid namespace with
it. Where a container is *alone*, so that nobody will ever need such a helper inside, the first
process itself becomes the main process: a fork of the zygote, its page faults and its end cost
more than most of what a short container does.
"""

import os
import selectors
import signal
import socket
from contextlib import suppress
from typing import NoReturn

import msgspec

from sympozium_local.kubelet.sandbox import syscalls
from sympozium_local.kubelet.sandbox.main_process import (
    START_ERROR,
    connect_output,
    give_up_rights,
    prepare_code,
    run_module,
)
from sympozium_local.kubelet.sandbox.plan import (
    AnyCommand,
    Built,
    ContainerPlan,
    Exec,
    ExecExited,
    Exited,
    Go,
    Listening,
    Refused,
    Report,
    Signal,
    Sockets,
    SocketsOut,
    Started,
)
from sympozium_local.kubelet.sandbox.rootfs import build_root

_COMMAND_BYTES = 128 * 1024
_TERMINATED = 128 + signal.SIGTERM

_encode = msgspec.json.Encoder().encode
_commands = msgspec.json.Decoder(AnyCommand)


def become_container(plan: ContainerPlan, control: socket.socket, log_fd: int) -> NoReturn:
    """Turn this fork of the zygote into the container; what goes wrong is reported on *control*."""
    try:
        is_root = plan.host_uid != 0
        _build(plan, control, is_root=is_root)
        if plan.is_alone:
            _run_alone(plan, control, log_fd, is_root=is_root)
        _FirstProcess(plan, control, log_fd, is_root=is_root).run()
    except Exception as error:  # noqa: BLE001 - a fork must never fall back into its parent's loop
        _send(control, Refused(f"cannot build the sandbox: {error}"))
    finally:
        os._exit(START_ERROR)


def namespaces(*, is_isolated: bool) -> int:
    """Return the namespaces into which a container is forked."""
    flags = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWIPC
    flags |= syscalls.CLONE_NEWUTS | (syscalls.CLONE_NEWNET if is_isolated else 0)
    return flags if syscalls.is_privileged() else flags | syscalls.CLONE_NEWUSER


def _build(plan: ContainerPlan, control: socket.socket, *, is_root: bool) -> None:
    syscalls.die_with_parent()
    if is_root:
        os.setgroups([])
    else:
        _map_own_user(plan)
    for path in plan.cgroup_procs:
        _write(path, b"0")
    syscalls.unshare(syscalls.CLONE_NEWCGROUP)
    socket.sethostname(plan.hostname)
    if plan.is_isolated:
        syscalls.bring_up_loopback()
        given = [_listen(port) for port in plan.listen_ports]
        if plan.is_alone:
            given.append(os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        _send(control, Listening(), given)
        for fd in given:
            os.close(fd)
    syscalls.set_dumpable(False)
    build_root(plan)


def _map_own_user(plan: ContainerPlan) -> None:
    _write("/proc/self/setgroups", b"deny")
    _write("/proc/self/uid_map", b"%d %d 1" % (plan.uid, plan.kubelet_uid))
    _write("/proc/self/gid_map", b"%d %d 1" % (plan.gid, plan.kubelet_gid))


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def _listen(port: int) -> int:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(128)
    return sock.detach()


def _send(control: socket.socket, report: Report, fds: list[int] | None = None) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # the kubelet is gone, so shall we be
        socket.send_fds(control, [_encode(report)], fds or [])


def _may_go(control: socket.socket) -> bool:
    """Wait for the kubelet's word; return whether the container's code shall run."""
    data, _ = syscalls.receive(control, _COMMAND_BYTES)
    return bool(data) and isinstance(_commands.decode(data), Go)


def _run_alone(
    plan: ContainerPlan, control: socket.socket, log_fd: int, *, is_root: bool
) -> NoReturn:
    """Become the main process, as pid 1. The zygote tells the kubelet how it ends.

    As pid 1 it gets no signal that it does not handle; SIGTERM ends it all the same, until the
    code says otherwise. It cannot be asked to end with the kubelet any more, so the kernel sees
    to it: nothing that it may do undoes that.
    """
    if is_root:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
    _send(control, Built())  # the kubelet maps the user before it says Go
    if not _may_go(control):
        os._exit(_TERMINATED)
    connect_output(log_fd)
    give_up_rights(plan, is_root=is_root, is_first=True)
    if syscalls.has_hung_up(control):  # while nothing would have ended this process with it
        os._exit(_TERMINATED)
    prepare_code(plan)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(_TERMINATED))
    _send(control, Started())
    control.detach()
    run_module(plan)


class _FirstProcess:
    """Pid 1 of the container: starts its processes, reaps them, obeys the kubelet."""

    def __init__(
        self, plan: ContainerPlan, control: socket.socket, log_fd: int, *, is_root: bool
    ) -> None:
        self._plan = plan
        self._control = control
        self._log_fd = log_fd
        self._is_root = is_root
        self._main_pid = 0
        self._exec_ids: dict[int, int] = {}

    def run(self) -> NoReturn:
        if not _may_go(self._control):
            _send(self._control, Exited(_TERMINATED))
            os._exit(0)
        wake_r, wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        self._main_pid, problem = self._fork(self._plan.argv, self._log_fd, is_main=True)
        os.close(self._log_fd)
        _send(self._control, Refused(problem) if problem else Started())
        selector = selectors.DefaultSelector()
        selector.register(self._control, selectors.EVENT_READ)
        selector.register(wake_r, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is self._control:
                    self._obey()
                else:
                    with suppress(BlockingIOError):
                        os.read(wake_r, 512)
            self._reap()

    def _obey(self) -> None:
        data, fds = syscalls.receive(self._control, _COMMAND_BYTES)
        if not data:
            os._exit(128 + signal.SIGKILL)
        match _commands.decode(data):
            case Signal(number):
                with suppress(ProcessLookupError):
                    os.kill(self._main_pid, number)
            case Exec(exec_id, argv):
                pid, problem = self._fork(argv, fds[0])
                os.close(fds[0])
                self._exec_ids[pid] = exec_id
                if problem:
                    _send(self._control, ExecExited(exec_id, START_ERROR - 1))
            case Sockets() as sockets:
                fresh = [socket.socket() for _ in range(min(sockets.count, syscalls.MAX_FDS))]
                _send(self._control, SocketsOut(), [sock.fileno() for sock in fresh])
                for sock in fresh:
                    sock.close()

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = found
                code = syscalls.exit_code(status)
                if pid == self._main_pid:
                    _send(self._control, Exited(code))
                    os._exit(0)
                if pid in self._exec_ids:
                    _send(self._control, ExecExited(self._exec_ids.pop(pid), code))

    def _fork(self, argv: list[str], output_fd: int, *, is_main: bool = False) -> tuple[int, str]:
        """Start a process of the container; return its pid and why it could not run, or ""."""
        problem_r, problem_w = os.pipe2(os.O_CLOEXEC)
        ready_r, ready_w = os.pipe2(os.O_CLOEXEC)
        mapped_r, mapped_w = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            try:
                os.close(mapped_w)
                self._become_main(output_fd, ready_w, mapped_r)
                self._run_code(argv, is_main=is_main)
            except Exception as error:  # noqa: BLE001 - as in become_container
                os.write(problem_w, f"cannot run {argv[0]!r}: {error}".encode()[:4000])
            finally:
                os._exit(START_ERROR)
        for fd in (problem_w, ready_w, mapped_r):
            os.close(fd)
        if self._is_root:
            os.read(ready_r, 1)
            syscalls.map_user(pid, self._plan.uid, self._plan.gid, self._plan.host_uid)
        os.close(mapped_w)
        problem = b"".join(iter(lambda: os.read(problem_r, 4096), b"")).decode(errors="replace")
        os.close(ready_r)
        os.close(problem_r)
        return pid, problem

    def _become_main(self, output_fd: int, ready_w: int, mapped_r: int) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        connect_output(output_fd)
        if self._is_root:
            syscalls.unshare(syscalls.CLONE_NEWUSER)
            os.write(ready_w, b"1")
            os.read(mapped_r, 1)
        give_up_rights(self._plan, is_root=self._is_root)

    def _run_code(self, argv: list[str], *, is_main: bool) -> None:
        prepare_code(self._plan)
        if not (is_main and self._plan.module):
            os.execvpe(argv[0], argv, self._plan.env)  # noqa: S606 - a container's own command
        run_module(self._plan)
