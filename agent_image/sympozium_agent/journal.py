"""Journals: append-only files of JSON lines, through which the containers of a run talk.

A line counts when its newline is there. Whoever reads may stop at any byte and go
on later from the offset of a line; whoever writes may be killed at any byte, and the
torn line that it leaves spoils no other. The other side of a journal is not trusted:
a path that is no regular file is refused, and a line of any length costs a bounded
amount of memory.
"""

import os
import stat
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from sympozium.contract.errors import PermanentError
from sympozium.contract.limits import MAX_JOURNAL_LINE_BYTES

READ_CHUNK_BYTES = 64 * 1024

_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""No symlink is followed, and a FIFO in the journal's place blocks nobody."""


class JournalRefusedError(PermanentError):
    """The file is no journal: a link, a pipe, or one that was cut or replaced."""


@dataclass(frozen=True)
class Line:
    """One line that counts.

    Attributes:
        offset: Where it begins in the file.
        end: Where the next line begins.
        data: Its bytes without the newline; empty where it is too long.
        is_too_long: It was skipped and not held in memory.
    """

    offset: int
    end: int
    data: bytes
    is_too_long: bool = False


class JournalWriter:
    """Appends lines to one journal, each with one write.

    A torn line that an earlier writer left is closed first, so that it spoils
    nothing but itself.

    Raises:
        JournalRefusedError: The path is not a regular file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        fd = _open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        self._file = os.fdopen(fd, "r+b", buffering=0)
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            self._write(b"\n")

    def append(self, line: bytes) -> None:
        """Add one line. A reader sees it whole or, if this process dies now, not at all.

        Raises:
            PermanentError: *line* holds a newline or is too long.
            JournalRefusedError: The volume takes no more.
        """
        if b"\n" in line or len(line) > MAX_JOURNAL_LINE_BYTES:
            raise PermanentError(
                f"cannot append to {self._path.name!r}: a line has at most "
                f"{MAX_JOURNAL_LINE_BYTES} bytes and no newline in it"
            )
        self._write(line + b"\n")

    def close(self) -> None:
        """Close the file; what was appended stays."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise JournalRefusedError(
                f"cannot append to {self._path.name!r}: {error.strerror}"
            ) from error


class JournalReader:
    """Reads the lines of one journal, from any line's offset on.

    The journal may not be there yet; it then has no line yet.
    """

    def __init__(
        self, path: Path, *, offset: int = 0, max_line_bytes: int = MAX_JOURNAL_LINE_BYTES
    ) -> None:
        self._path = path
        self._max_line_bytes = max_line_bytes
        self._fd: int | None = None
        self._position = offset
        self._line_offset = offset
        self._held = b""
        self._dropped_bytes = 0
        self._ready: deque[Line] = deque()

    def next_line(self) -> Line | None:
        """Return the next line that counts, or None while there is none.

        Raises:
            JournalRefusedError: The file is not, or no longer, the journal that was opened.
        """
        while not self._ready:
            chunk = self._read_chunk()
            if not chunk:
                return None
            self._split(chunk)
        return self._ready.popleft()

    def close(self) -> None:
        """Close the file. Reading again goes on where it stopped."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _read_chunk(self) -> bytes:
        if self._fd is None:
            try:
                self._fd = _open(self._path, os.O_RDONLY)
            except FileNotFoundError:
                return b""
        chunk = os.pread(self._fd, READ_CHUNK_BYTES, self._position)
        if not chunk:
            self._check_identity(self._fd)
        self._position += len(chunk)
        return chunk

    def _check_identity(self, fd: int) -> None:
        opened = os.fstat(fd)
        try:
            found = os.stat(self._path, follow_symlinks=False)
        except FileNotFoundError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != (opened.st_dev, opened.st_ino):
            raise JournalRefusedError(f"cannot read {self._path.name!r}: it was replaced")
        if opened.st_size < self._position:
            raise JournalRefusedError(f"cannot read {self._path.name!r}: it was cut")

    def _split(self, chunk: bytes) -> None:
        *pieces, rest = chunk.split(b"\n")
        for piece in pieces:
            data = self._held + piece
            length = self._dropped_bytes + len(data)
            is_too_long = length > self._max_line_bytes
            end = self._line_offset + length + 1
            self._ready.append(
                Line(self._line_offset, end, b"" if is_too_long else data, is_too_long)
            )
            self._line_offset, self._held, self._dropped_bytes = end, b"", 0
        self._held += rest
        if self._dropped_bytes or len(self._held) > self._max_line_bytes:
            self._dropped_bytes += len(self._held)
            self._held = b""


def _open(path: Path, flags: int) -> int:
    try:
        fd = os.open(path, flags | _FLAGS, 0o644)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise JournalRefusedError(f"cannot open {path.name!r}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise JournalRefusedError(f"cannot open {path.name!r}: it is not a regular file")
    return fd
