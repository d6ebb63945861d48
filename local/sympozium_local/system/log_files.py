"""A program's output in a file that does not grow for ever."""

import contextlib
from pathlib import Path

MAX_BYTES = 10 * 1024 * 1024
"""A full file becomes `<name>.1`, in place of the one before."""


class LogFile:
    """Appends bytes to one file."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._file = path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        """Append *data*. What a full disk does not take is lost: what is logged goes on."""
        with contextlib.suppress(OSError):
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._file.tell() + len(data) > self._max_bytes:
            self._file.close()
            self._path.replace(self._path.with_name(self._path.name + ".1"))
            self._file = self._path.open("ab", buffering=0)
        self._file.write(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def last_line(path: Path) -> str:
    """Return the last line of a log that says something, for an error message."""
    try:
        lines = path.read_bytes()[-8192:].decode(errors="replace").splitlines()
    except OSError:
        return ""
    texts = (line.lstrip(" |+-").rstrip() for line in reversed(lines))  # as in a group's traceback
    return next((text for text in texts if text), "")
