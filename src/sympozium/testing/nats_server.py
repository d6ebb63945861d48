"""A real nats-server for a test, on a free port of 127.0.0.1."""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from sympozium.bus.nats import Address
from sympozium.contract.subjects import reply_prefix

START_TIMEOUT_S = 10.0

CONFIRM_WITHIN_S = 15.0
"""What a test waits for that is not about waiting: a busy machine's disk may take seconds."""

_PORTS = range(10_000, 32_768)
"""Below those that the kernel gives to connections that go out: it may take one at any moment.

Source: net.ipv4.ip_local_port_range
"""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses now."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def nats_server_binary() -> str:
    """Return the nats-server of this environment, else the one on PATH."""
    beside = Path(sys.executable).with_name("nats-server")
    return str(beside) if beside.exists() else shutil.which("nats-server") or "nats-server"


@dataclass
class NatsServer:
    """One server process over one data directory. It may be killed and started again.

    Attributes:
        runner: Command that the server's own follows, to run it in a namespace, say.
    """

    directory: Path
    port: int = field(default_factory=free_port)
    config: str = ""
    runner: tuple[str, ...] = ()
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"nats://127.0.0.1:{self.port}"

    def address(self, name: str = "test") -> Address:
        """Return the address for a connection that a test itself holds."""
        return Address(self.url, name, reply_prefix(name), confirm_within_s=CONFIRM_WITHIN_S)

    @property
    def pid(self) -> int:
        """Its process, or its runner's."""
        assert self._process is not None, "it does not run"
        return self._process.pid

    async def start(self) -> None:
        """Start it and return when it accepts connections."""
        config = self.directory / "nats.conf"
        jetstream = f'jetstream {{ store_dir: "{self.directory}", sync_interval: always }}'
        config.write_text(self.config or f"listen: 127.0.0.1:{self.port}\n{jetstream}\n")
        log = (self.directory / "nats.log").open("ab")
        with log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - starting takes a millisecond
                [*self.runner, nats_server_binary(), "-c", str(config)], stdout=log, stderr=log
            )
        async with asyncio.timeout(START_TIMEOUT_S):
            while not _accepts(self.port):  # noqa: ASYNC110 - the other side has no event
                await asyncio.sleep(0.01)

    def pause(self) -> None:
        """Stop it where it is, and return when it has: a busy machine takes its time."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it by SIGKILL and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
