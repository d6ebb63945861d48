"""The kubelet's side of the sandbox: start containers, talk to their first processes."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec

from sympozium.contract.errors import PermanentError, TransientError
from sympozium_local.kubelet.sandbox import syscalls
from sympozium_local.kubelet.sandbox.plan import (
    AnyReport,
    Built,
    Command,
    ContainerPlan,
    Exec,
    ExecExited,
    Exited,
    Forked,
    Go,
    Listening,
    Refused,
    Signal,
    Sockets,
    SocketsOut,
    Start,
    Started,
)
from sympozium_local.kubelet.sandbox.zygote import READY

_START_TIMEOUT_S = 20.0
_READY_TIMEOUT_S = 60.0
_SPARE_SOCKETS = 4
_REPORT_BYTES = 16 * 1024
_KILLED = 128 + signal.SIGKILL

_encode = msgspec.json.Encoder().encode
_reports = msgspec.json.Decoder(AnyReport)


class ContainerCannotRunError(PermanentError):
    """The container could not be built or its command not executed."""


class Container:
    """One running container. Its end is awaited with `wait`."""

    def __init__(self, control: socket.socket, plan: ContainerPlan) -> None:
        self._control = control
        self._plan = plan
        self._may_go = self._is_built = self._is_told = False
        self._loop = asyncio.get_running_loop()
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._exited: asyncio.Future[int] = self._loop.create_future()
        self._code = _KILLED
        self._execs: dict[int, asyncio.Future[int]] = {}
        self._next_exec = 0
        self._sockets: deque[socket.socket] = deque()
        self._wanted: deque[asyncio.Future[socket.socket]] = deque()
        self.pid = 0
        """Of the container's first process, on the machine."""
        self.listening: list[socket.socket] = []
        self._network_fd = -1
        self._loop.add_reader(control.fileno(), self._read)

    def go(self) -> None:
        """Run the container's code as soon as the container is built."""
        self._may_go = True
        self._go_if_due()

    def _go_if_due(self) -> None:
        plan = self._plan
        if not self._may_go or (plan.is_alone and not (self._is_built and self.pid)):
            return
        self._may_go = False
        try:
            if plan.is_alone and plan.host_uid:
                syscalls.map_user(self.pid, plan.uid, plan.gid, plan.host_uid)
        except OSError as error:
            self._refuse(f"cannot map the container's user: {error}")
            self.kill()
        else:
            self._send(Go())

    async def started(self) -> None:
        """Return once the container's own code runs.

        Raises:
            ContainerCannotRunError: It never will.
        """
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                await asyncio.shield(self._started)
        except TimeoutError:
            self.kill()
            raise ContainerCannotRunError("cannot start the container: no sign of life") from None

    async def wait(self) -> int:
        """Return the exit code once nothing of the container is left."""
        return await asyncio.shield(self._exited)

    @property
    def has_ended(self) -> bool:
        """True once nothing of the container is left."""
        return self._exited.done()

    def signal(self, number: int) -> None:
        """Send a signal to the main process."""
        if not self._plan.is_alone:
            self._send(Signal(number))
        elif self.pid and not self.has_ended:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End every process of the container, now."""
        if self.pid and not self.has_ended:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        elif not self.has_ended:
            self._ended()

    async def exec(self, argv: Sequence[str], output_fd: int) -> int:
        """Run *argv* beside the main process; return its exit code.

        Raises:
            OSError: The container is alone.
        """
        if self._plan.is_alone:
            raise ConnectionRefusedError("nothing else runs in this container")
        self._next_exec += 1
        done: asyncio.Future[int] = self._loop.create_future()
        self._execs[self._next_exec] = done
        self._send(Exec(self._next_exec, list(argv)), [output_fd])
        return await done

    async def dial(self, port: int) -> socket.socket:
        """Return a socket connected to 127.0.0.1:*port* inside the container's network.

        Raises:
            OSError: Nothing listens there, or the container has ended.
        """
        sock = await self._fresh_socket()
        try:
            await self._loop.sock_connect(sock, ("127.0.0.1", port))
        except BaseException:
            sock.close()
            raise
        return sock

    async def _fresh_socket(self) -> socket.socket:
        if self.has_ended:
            raise ConnectionRefusedError("the container has ended")
        if self._plan.is_alone:
            sock = syscalls.socket_in(self._network_fd)
            sock.setblocking(False)
            return sock
        if self._sockets:
            return self._sockets.popleft()
        wanted: asyncio.Future[socket.socket] = self._loop.create_future()
        self._wanted.append(wanted)
        self._send(Sockets(_SPARE_SOCKETS))
        return await wanted

    def _send(self, command: Command, fds: Sequence[int] = ()) -> None:
        if not self.has_ended:
            with suppress(BrokenPipeError, ConnectionResetError):
                socket.send_fds(self._control, [_encode(command)], fds)

    def _read(self) -> None:
        try:
            data, fds = syscalls.receive(self._control, _REPORT_BYTES)
        except BlockingIOError:
            return
        except ConnectionResetError:  # it left a command unread; what it said last comes after that
            return
        if data:
            self._take(_reports.decode(data), fds)
        else:
            self._ended()

    def _take(self, report: AnyReport, fds: list[int]) -> None:
        match report:
            case Forked(pid):
                self.pid = pid
                self._go_if_due()
            case Built():
                self._is_built = True
                self._go_if_due()
            case Listening():
                if self._plan.is_alone:
                    self._network_fd = fds.pop()
                self.listening = [socket.socket(fileno=fd) for fd in fds]
            case Started():
                _settle(self._started, None)
            case Refused(message):
                self._refuse(message)
            case Exited(code):
                self._code, self._is_told = code, True
            case ExecExited(exec_id, code):
                _settle(self._execs.pop(exec_id, self._loop.create_future()), code)
            case SocketsOut():
                self._hand_out([socket.socket(fileno=fd) for fd in fds])

    def _hand_out(self, sockets: list[socket.socket]) -> None:
        for sock in sockets:
            sock.setblocking(False)
            wanted = next((w for w in self._wanted if not w.done()), None)
            if wanted is None:
                self._sockets.append(sock)
            else:
                wanted.set_result(sock)
        self._wanted = deque(w for w in self._wanted if not w.done())

    def _refuse(self, message: str) -> None:
        if not self._started.done():
            self._started.set_exception(ContainerCannotRunError(message))

    def _ended(self) -> None:
        if self.pid and self._plan.is_alone and not self._is_told:  # the zygote is gone
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        self._refuse("the container ended before its command ran")
        self._started.exception()
        _settle(self._exited, self._code)
        for done in self._execs.values():
            _settle(done, _KILLED)
        for wanted in self._wanted:
            if not wanted.done():
                wanted.set_exception(ConnectionRefusedError("the container has ended"))
        for sock in (*self._sockets, *self.listening):
            sock.close()
        if self._network_fd >= 0:
            os.close(self._network_fd)


def _settle(future: asyncio.Future[int] | asyncio.Future[None], result: int | None) -> None:
    if not future.done():
        future.set_result(result)  # type: ignore[arg-type]  # each caller pairs them


class Sandbox:
    """A running zygote. Made by `open_sandbox`."""

    def __init__(self, zygote: socket.socket) -> None:
        self._zygote = zygote

    def start(self, plan: ContainerPlan, log_fd: int) -> Container:
        """Begin to build the container of *plan*; its output goes to *log_fd*, which stays open.

        Raises:
            TransientError: The zygote is gone.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        plan_fd = os.memfd_create("plan", os.MFD_CLOEXEC)
        try:
            os.write(plan_fd, _encode(plan))
            start = _encode(Start(plan.is_isolated, plan.is_alone))
            socket.send_fds(self._zygote, [start], [plan_fd, theirs.fileno(), log_fd])
        except OSError as error:
            ours.close()
            raise TransientError(f"cannot start a container: {error}; the zygote ended") from error
        finally:
            os.close(plan_fd)
            theirs.close()
        return Container(ours, plan)


@asynccontextmanager
async def open_sandbox(
    modules: Sequence[str], *, on_death: Callable[[], None]
) -> AsyncIterator[Sandbox]:
    """Start a zygote with *modules* imported; *on_death* is called if it ends by itself.

    Leaving ends the zygote and with it every container.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    argv = [sys.executable, "-m", "sympozium_local.kubelet.sandbox.zygote", str(theirs.fileno())]
    environment = {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LD_BIND_NOW": "1",  # or each fork would bind what it calls, and copy the tables for it
    }
    loop = asyncio.get_running_loop()
    process = subprocess.Popen(  # noqa: ASYNC220 - awaited through its socket
        [*argv, *modules], env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
    )
    theirs.close()
    ours.setblocking(False)
    try:
        async with asyncio.timeout(_READY_TIMEOUT_S):
            said = await loop.sock_recv(ours, _REPORT_BYTES)
        if said != READY:
            raise PermanentError(
                f"cannot run containers on this machine: {said.decode() or 'the zygote ended'}; "
                "run as root, or allow user namespaces (sysctl user.max_user_namespaces, "
                "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
            )
        loop.add_reader(ours.fileno(), on_death)
        yield Sandbox(ours)
    finally:
        loop.remove_reader(ours.fileno())
        ours.close()
        process.kill()
        process.wait()
