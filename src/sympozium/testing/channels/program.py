"""The channel's program as a process of its own: started, killed, started again."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from sympozium.testing.nats_server import free_port

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


class Program:
    """`python -m <module>` with the environment of a channel's pod."""

    def __init__(self, module: str, env: Mapping[str, str], log: Path) -> None:
        self._module = module
        self._health_port = free_port()
        self._env = {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "SYMPOZIUM_HEALTH_PORT": str(self._health_port),
            "SYMPOZIUM_LOG_LEVEL": "DEBUG",
            **env,
        }
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """Everything that it wrote so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def pid(self) -> int:
        """Its process, by which the system tells what it takes."""
        assert self._process is not None, "it does not run"
        return self._process.pid

    async def start(self) -> None:
        """Start it and return when it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - starting takes a millisecond
                [sys.executable, "-m", self._module], env=self._env, stdout=log, stderr=log
            )
        await self.ready()

    async def ready(self) -> None:
        """Return when it says that it is ready.

        Raises:
            AssertionError: It ended, or is not ready in time; with the end of its log.
        """
        await self._until(200, "is not ready")

    async def unready(self) -> None:
        """Return when it says that something is missing.

        Raises:
            AssertionError: It ended, or stays ready; with the end of its log.
        """
        await self._until(503, "stays ready")

    def kill(self) -> None:
        """End it by SIGKILL and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def stop(self) -> int:
        """Ask it to end by SIGTERM; return its exit code."""
        process = self._process
        assert process is not None, "it does not run"
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_TIMEOUT_S):
            while process.poll() is None:  # noqa: ASYNC110 - a child's end is no event here
                await asyncio.sleep(0.02)
        self._process = None
        return process.returncode

    async def _until(self, status: int, otherwise: str) -> None:
        try:
            async with asyncio.timeout(READY_TIMEOUT_S), aiohttp.ClientSession() as session:
                while await self._state(session) != status:  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{self._module} {otherwise}:\n{self.log[-4000:]}") from None

    async def _state(self, session: aiohttp.ClientSession) -> int:
        process = self._process
        if process is None or process.poll() is not None:
            raise AssertionError(f"{self._module} has ended:\n{self.log[-4000:]}")
        try:
            async with session.get(f"http://127.0.0.1:{self._health_port}/readyz") as answer:
                return answer.status
        except aiohttp.ClientError:
            return 0
