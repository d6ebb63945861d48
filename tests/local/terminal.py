"""A command whose errors go to a terminal, read as they come."""

import os
import select
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

PATIENCE_S = 30.0


class Terminal:
    """What a terminal was shown by one command, and the command's standard output."""

    def __init__(self, process: "subprocess.Popen[bytes]", reads: int) -> None:
        self.process = process
        self.shown = ""
        self._reads = reads

    def wait_for(self, text: str, *, times: int = 1) -> None:
        """Read until *text* was shown so often."""
        while self.shown.count(text) < times:
            assert self._read(), f"it ended or stands still without {text!r}: {self.shown!r}"

    def end(self) -> str:
        """Read to the end of the command; return its standard output."""
        while self._read():
            pass
        assert self.process.stdout is not None
        text = self.process.stdout.read().decode()
        self.process.wait()
        return text

    def _read(self) -> bytes:
        """Return what is shown next; nothing at the end, and where nothing comes for long."""
        data = b""
        if not select.select([self._reads], [], [], PATIENCE_S)[0]:
            return data
        with suppress(OSError):  # EIO: nobody writes any more
            data = os.read(self._reads, 65536)
        self.shown += data.decode(errors="replace")
        return data


@contextmanager
def on_a_terminal(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[Terminal]:
    """Run *command* with a terminal for its errors alone."""
    reads, terminal = os.openpty()
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=terminal,
            env={**environ, "TERM": "xterm"},
        )
    finally:
        os.close(terminal)
    try:
        yield Terminal(process, reads)
    finally:
        process.kill()
        process.wait()
        os.close(reads)
        if process.stdout is not None:
            process.stdout.close()
