"""From a fork of the zygote to the container's own code.

Two processes. The *first process* is forked into the container's namespaces, where it is pid 1:
it builds the root, starts the main process, and obeys the kubelet over a socket. The *main
process* gives up every right and runs the container's code. When the kubelet's end of the socket
closes, for whatever reason, the first process ends, and the kernel ends everything in its pid
namespace with it.
"""

import importlib
import os
import resource
import selectors
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import msgspec

from sympozium_local.kubelet.sandbox import syscalls
from sympozium_local.kubelet.sandbox.plan import (
    AnyCommand,
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
from sympozium_local.kubelet.sandbox.seccomp import forbid_system_calls

_COMMAND_BYTES = 128 * 1024
_START_ERROR = 128
"""Exit code of a container whose command could not be executed, as a container runtime's."""

_encode = msgspec.json.Encoder().encode
_commands = msgspec.json.Decoder(AnyCommand)


def become_container(plan: ContainerPlan, control: socket.socket, log_fd: int) -> NoReturn:
    """Turn this fork of the zygote into the container; what goes wrong is reported on *control*."""
    try:
        _build(plan, control, log_fd)
    except Exception as error:  # noqa: BLE001 - a fork must never fall back into its parent's loop
        _send(control, Refused(f"cannot build the sandbox: {error}"))
    finally:
        os._exit(_START_ERROR)


def namespaces(*, is_isolated: bool) -> int:
    """Return the namespaces into which a container is forked."""
    flags = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWIPC
    flags |= syscalls.CLONE_NEWUTS | (syscalls.CLONE_NEWNET if is_isolated else 0)
    return flags if syscalls.is_privileged() else flags | syscalls.CLONE_NEWUSER


def _build(plan: ContainerPlan, control: socket.socket, log_fd: int) -> None:
    syscalls.die_with_parent()
    is_root = plan.host_uid != 0
    if is_root:
        os.setgroups([])
    else:
        _map_own_user(plan)
    for path in plan.cgroup_procs:
        Path(path).write_text("0")
    syscalls.unshare(syscalls.CLONE_NEWCGROUP)
    socket.sethostname(plan.hostname)
    if plan.is_isolated:
        syscalls.bring_up_loopback()
        listening = [_listen(port) for port in plan.listen_ports]
        _send(control, Listening(), listening)
        for fd in listening:
            os.close(fd)
    syscalls.set_dumpable(False)
    build_root(plan)
    _FirstProcess(plan, control, log_fd, is_root=is_root).run()


def _map_own_user(plan: ContainerPlan) -> None:
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{plan.uid} {plan.kubelet_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{plan.gid} {plan.kubelet_gid} 1")


def _listen(port: int) -> int:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(128)
    return sock.detach()


def _send(control: socket.socket, report: Report, fds: list[int] | None = None) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # the kubelet is gone, so shall we be
        socket.send_fds(control, [_encode(report)], fds or [])


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
        data, _ = syscalls.receive(self._control, _COMMAND_BYTES)
        if not data or not isinstance(_commands.decode(data), Go):
            _send(self._control, Exited(128 + signal.SIGTERM))
            os._exit(0)
        wake_r, wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        self._main_pid, problem = self._fork(self._plan.argv, self._plan.module, self._log_fd)
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
                pid, problem = self._fork(argv, "", fds[0])
                os.close(fds[0])
                self._exec_ids[pid] = exec_id
                if problem:
                    _send(self._control, ExecExited(exec_id, _START_ERROR - 1))
            case Sockets() as sockets:
                fresh = [socket.socket() for _ in range(min(sockets.count, syscalls.MAX_FDS))]
                _send(self._control, SocketsOut(), [sock.fileno() for sock in fresh])
                for sock in fresh:
                    sock.close()

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = found
                code = os.waitstatus_to_exitcode(status)
                code = code if code >= 0 else 128 - code
                if pid == self._main_pid:
                    _send(self._control, Exited(code))
                    os._exit(0)
                if pid in self._exec_ids:
                    _send(self._control, ExecExited(self._exec_ids.pop(pid), code))

    def _fork(self, argv: list[str], module: str, output_fd: int) -> tuple[int, str]:
        """Start a process of the container; return its pid and why it could not run, or ""."""
        problem_r, problem_w = os.pipe2(os.O_CLOEXEC)
        ready_r, ready_w = os.pipe2(os.O_CLOEXEC)
        mapped_r, mapped_w = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            try:
                os.close(mapped_w)
                self._give_up_rights(output_fd, ready_w, mapped_r)
                self._run_code(argv, module, problem_w)
            except Exception as error:  # noqa: BLE001 - as in become_container
                os.write(problem_w, f"cannot run {argv[0]!r}: {error}".encode()[:4000])
            finally:
                os._exit(_START_ERROR)
        for fd in (problem_w, ready_w, mapped_r):
            os.close(fd)
        if self._is_root:
            os.read(ready_r, 1)
            Path(f"/proc/{pid}/uid_map").write_text(f"{self._plan.uid} {self._plan.host_uid} 1")
            Path(f"/proc/{pid}/gid_map").write_text(f"{self._plan.gid} {self._plan.host_uid} 1")
        os.close(mapped_w)
        problem = b"".join(iter(lambda: os.read(problem_r, 4096), b"")).decode(errors="replace")
        os.close(ready_r)
        os.close(problem_r)
        return pid, problem

    def _give_up_rights(self, output_fd: int, ready_w: int, mapped_r: int) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        null = os.open("/dev/null", os.O_RDONLY)
        for source, target in ((null, 0), (output_fd, 1), (output_fd, 2)):
            os.dup2(source, target)
        if self._is_root:
            syscalls.unshare(syscalls.CLONE_NEWUSER)
            os.write(ready_w, b"1")
            os.read(mapped_r, 1)
            os.setresgid(self._plan.gid, self._plan.gid, self._plan.gid)
            os.setresuid(self._plan.uid, self._plan.uid, self._plan.uid)
        syscalls.drop_capabilities()
        forbid_system_calls()
        syscalls.set_dumpable(True)

    def _run_code(self, argv: list[str], module: str, problem_w: int) -> None:
        os.umask(0o022)
        os.chdir(self._plan.cwd)
        if limit := self._plan.memory_rlimit_bytes:  # last: this fork may be larger than it
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        if not module:
            os.execvpe(argv[0], argv, self._plan.env)  # noqa: S606 - a container's own command
        os.closerange(3, problem_w)
        os.closerange(problem_w, 1024)
        _run_module(module, argv, self._plan.env)


def _run_module(module: str, argv: list[str], env: dict[str, str]) -> NoReturn:
    """Run *module*'s ``main()`` as ``python -m`` would, and end this process."""
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [module, *argv[3:]]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # both are text files
    code: int | str | None
    try:
        code = importlib.import_module(module).main()
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
