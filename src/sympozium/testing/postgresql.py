"""A real PostgreSQL server for a test, on a free port of 127.0.0.1.

It is Debian's package `postgresql` (`apt-get install postgresql`), whose programs are
under `/usr/lib/postgresql`. The server refuses to run as root, so root runs it as the
user that the package makes.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from sympozium.testing.nats_server import free_port

START_TIMEOUT_S = 30.0
PASSWORD = "pass:word/of@tests"  # noqa: S105 - with everything that a URL must escape
_USER = "postgres"


def postgresql_programs() -> Path | None:
    """Return the folder of the newest PostgreSQL server of this machine; None: there is none."""
    folders = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = sorted(folders, key=lambda program: int(program.parts[-3]))
    return found[-1].parent if found else None


@dataclass
class PostgresqlServer:
    """One server process over one data directory. It may be killed and started again.

    Attributes:
        settings: Of `postgresql.conf`, beside our own.
    """

    programs: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="postgresql-")))
    _process: subprocess.Popen[bytes] | None = None

    def url(
        self, database: str = "postgres", *, password: str = PASSWORD, port: int | None = None
    ) -> str:
        """Return where *database* is, as the router is told; *port*: of a proxy before it."""
        secret = quote(password, safe="")
        return f"postgresql+asyncpg://{_USER}:{secret}@127.0.0.1:{port or self.port}/{database}"

    def initialize(self) -> None:
        """Make an empty data directory."""
        self.directory.chmod(0o700)
        secret = self.directory / "password"
        secret.write_text(PASSWORD)
        if os.getuid() == 0:
            shutil.chown(self.directory, _USER)
            shutil.chown(secret, _USER)
        scram = ["--auth=scram-sha-256", f"--username={_USER}", f"--pwfile={secret}"]
        quick = ["--no-sync", "--no-instructions", "--locale=C.UTF-8", "--encoding=UTF8"]
        self.run("initdb", "-D", str(self.data), *scram, *quick)

    @property
    def is_running(self) -> bool:
        """Whether it was started, and not killed since."""
        return self._process is not None

    @property
    def has_died(self) -> bool:
        """Whether it ended without being told to by `kill`."""
        return self._process is not None and self._process.poll() is not None

    @property
    def pids(self) -> list[int]:
        """The server and, after it, all that it has started; none where it does not run."""
        if self._process is None or self.has_died:
            return []
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [self._process.pid, *map(int, children.read_text().split())]

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.directory / "data"

    async def start(self) -> None:
        """Start it and return when it takes connections.

        Raises:
            RuntimeError: It ended, with its log; those of a killed one may not be gone yet.
        """
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",  # a killed process loses nothing by it, a machine would
            "max_connections": "60",
            "dynamic_shared_memory_type": "mmap",  # in its folder, which goes with a killed one
            **self.settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - starting takes a millisecond
                [self.programs / "postgres", "-D", self.data, *options],
                stdout=log,
                stderr=log,
                user=_owner(),
                group=_owner(),
            )
        async with asyncio.timeout(START_TIMEOUT_S):
            while not await asyncio.to_thread(self._is_ready):  # noqa: ASYNC110 - no event there
                await asyncio.sleep(0.02)

    def run(self, program: str, *arguments: str, to: Path | None = None) -> None:
        """Run one of PostgreSQL's programs with the password; *to* takes what it says."""
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(to.open("wb")) if to else subprocess.PIPE
            done = subprocess.run(
                [self.programs / program, *arguments],
                env={**os.environ, "PGPASSWORD": PASSWORD},
                cwd="/",
                stdout=output,
                stderr=subprocess.PIPE,
                check=False,
                user=_owner(),
                group=_owner(),
            )
        assert done.returncode == 0, done.stderr.decode()

    def pause(self) -> None:
        """Stop all of it where it is, and return when it has: a busy machine takes its time."""
        for pid in self._signal(signal.SIGSTOP):
            while not _is_still(pid):
                time.sleep(0.01)

    def resume(self) -> None:
        """Let all of it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End all of it by SIGKILL and wait until it is gone."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """End it and delete what it has kept."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _signal(self, number: int) -> list[int]:
        """Send a signal to the server and to all that it has started; return their pids."""
        assert self._process is not None, "it does not run"
        pids = self.pids
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return pids

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError((self.directory / "log").read_text())
        asked = [str(self.programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0


def _owner() -> str | None:
    return _USER if os.getuid() == 0 else None


def _is_still(pid: int) -> bool:
    """Return whether a process is stopped, or is no more."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in {"T", "Z"}
