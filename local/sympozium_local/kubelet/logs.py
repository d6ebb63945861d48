"""What containers print: stamped, kept in bounds, readable while it grows.

One line of a log file is ``<time> <F or P> <text>``; P means that the text goes on in the next.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from sympozium.contract.times import parse_kube_time

MAX_FILE_BYTES = 10 * 1024 * 1024
"""Size at which a log is set aside for a fresh one; one older file is kept."""
_MAX_LINE_BYTES = 16 * 1024
_READ_BYTES = 64 * 1024


class LogWriter:
    """The log of one execution of a container, from the pipe that its output goes to."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("ab", buffering=0)
        self._size_bytes = self._file.tell()
        self._pipe_r, self.pipe_w = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._pipe_r, False)
        self._rest = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._pipe_r, self._read)
        self.ended = asyncio.Event()
        """Set once every process that could write has ended."""
        self._grown = asyncio.Event()

    def close_pipe(self) -> None:
        """Close our end, after the container got its own."""
        os.close(self.pipe_w)
        self.pipe_w = -1

    async def wait_for_more(self) -> None:
        """Return when the log has grown or ended."""
        await self._grown.wait()

    def close(self) -> None:
        """Stop reading, whoever still writes."""
        if not self.ended.is_set():
            self._loop.remove_reader(self._pipe_r)
            os.close(self._pipe_r)
            if self.pipe_w >= 0:
                self.close_pipe()
            if self._rest:
                self._write(self._rest, "F")
            self._file.close()
            self.ended.set()
            self._grown.set()

    def _read(self) -> None:
        try:
            data = os.read(self._pipe_r, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self.close()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._write(line, "F")
        while len(self._rest) >= _MAX_LINE_BYTES:
            self._write(self._rest[:_MAX_LINE_BYTES], "P")
            self._rest = self._rest[_MAX_LINE_BYTES:]
        self._grown.set()
        self._grown = asyncio.Event()

    def _write(self, text: bytes, tag: str) -> None:
        stamp = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        entry = f"{stamp} {tag} ".encode() + text + b"\n"
        if self._size_bytes + len(entry) > MAX_FILE_BYTES:
            self._file.close()
            self.path.rename(older(self.path))
            self._file = self.path.open("ab", buffering=0)
            self._size_bytes = 0
        self._file.write(entry)
        self._size_bytes += len(entry)


def older(path: Path) -> Path:
    """Return where the older half of the log at *path* is kept."""
    return path.with_suffix(".log.1")


@dataclass(frozen=True)
class LogQuery:
    """Which part of a log somebody wants, as ``kubectl logs`` asks for it."""

    tail_lines: int | None = None
    since: datetime | None = None
    has_timestamps: bool = False
    limit_bytes: int | None = None
    follow: bool = False


async def read_log(path: Path, query: LogQuery, writer: LogWriter | None) -> AsyncIterator[bytes]:
    """Yield the log at *path* in pieces; with *follow*, go on until *writer* has ended."""
    left = query.limit_bytes
    async for entry in _entries(path, query, writer if query.follow else None):
        piece = _shown(entry, query)[:left]
        yield piece
        if left is not None:
            left -= len(piece)
            if left <= 0:
                return


async def _entries(path: Path, query: LogQuery, writer: LogWriter | None) -> AsyncIterator[bytes]:
    file = path.open("rb")
    try:
        for entry in _select(path, file, query):
            yield entry
        while writer is not None:
            is_last = writer.ended.is_set()
            for entry in file:
                yield entry
            if is_last:
                return
            if not os.path.samestat(os.stat(path), os.fstat(file.fileno())):
                file.close()
                file = path.open("rb")
            else:
                await writer.wait_for_more()
    finally:
        file.close()


def _select(path: Path, file: BinaryIO, query: LogQuery) -> Iterable[bytes]:
    """Return the entries there are by now that *query* asks for, leaving *file* at its end."""
    before = older(path).read_bytes().splitlines(keepends=True) if older(path).exists() else []
    entries: Iterable[bytes] = chain(before, file)
    if query.since is not None:
        since = query.since
        entries = (entry for entry in entries if _time(entry) >= since)
    if query.tail_lines is not None:
        entries = deque(entries, maxlen=query.tail_lines)
    return entries


def _time(entry: bytes) -> datetime:
    return parse_kube_time(entry.split(b" ", 1)[0].decode())


def _shown(entry: bytes, query: LogQuery) -> bytes:
    stamp, tag, text = entry.split(b" ", 2)
    text = text if tag == b"F" else text[:-1]
    return stamp + b" " + text if query.has_timestamps else text
