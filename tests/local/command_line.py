"""`sympozium` as a user calls it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from sympozium_local.system.home import Home, is_running, read_holder


class CommandLine:
    """`sympozium` as a user calls it, in an environment of its own."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = Home(home)
        self.port = port
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home.parent),
            "SYMPOZIUM_HOME": str(home),
            "SYMPOZIUM_PORT": str(port),
        }

    def run(
        self, *arguments: str, stdin: str | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("sympozium")), *arguments],
            capture_output=True,
            text=True,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env=self.environ | environ,
            timeout=60,
            check=False,
        )

    def kill(self) -> None:
        """End the system by SIGKILL of its supervisor, if it runs."""
        if is_running(self.home):
            os.kill(int(read_holder(self.home)["pid"]), signal.SIGKILL)
