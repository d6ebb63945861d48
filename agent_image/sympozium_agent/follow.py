"""Waiting for the lines of a journal while somebody writes it."""

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path

from asyncinotify import Inotify, Mask

from sympozium.contract.limits import MAX_JOURNAL_LINE_BYTES
from sympozium_agent.journal import JournalReader, Line

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 1.0
"""How long a change may go unnoticed where the file system forgets to tell."""

POLL_S = 0.02
"""How often to look where the kernel gives out no watches."""

_CHANGES = Mask.CREATE | Mask.MODIFY | Mask.MOVED_TO


class Follower:
    """Hands out the lines of a journal as they come to count. Made by `follow`."""

    def __init__(self, reader: JournalReader, changed: asyncio.Event, *, wait_s: float) -> None:
        self._reader = reader
        self._changed = changed
        self._wait_s = wait_s
        self._is_ending = False

    async def next_line(self) -> Line | None:
        """Return the next line, as soon as there is one; None: at the end, after `end`.

        Raises:
            JournalRefusedError: The file is not, or no longer, a journal.
        """
        while True:
            self._changed.clear()
            is_last_look = self._is_ending
            line = self._reader.next_line()
            if line is not None or is_last_look:
                return line
            with suppress(TimeoutError):
                async with asyncio.timeout(self._wait_s):
                    await self._changed.wait()

    def end(self) -> None:
        """Have `next_line` return what is there by now, and then None."""
        self._is_ending = True
        self._changed.set()


@asynccontextmanager
async def follow(
    path: Path, *, offset: int = 0, max_line_bytes: int = MAX_JOURNAL_LINE_BYTES
) -> AsyncIterator[Follower]:
    """Yield a follower of the journal at *path*, whose folder exists; the file need not yet."""
    changed = asyncio.Event()
    reader = JournalReader(path, offset=offset, max_line_bytes=max_line_bytes)
    with closing(reader), _watched(path.parent, changed) as is_watched:
        yield Follower(reader, changed, wait_s=LOOK_AGAIN_S if is_watched else POLL_S)


@contextmanager
def _watched(folder: Path, changed: asyncio.Event) -> Iterator[bool]:
    """Set *changed* whenever something in *folder* changes; yield False where that cannot be."""
    try:
        inotify = Inotify(cache_size=64)
    except OSError as error:
        # Every user has a limited number of watches; many pods of one user may use them up.
        log.warning(
            "journal is polled: the kernel gives out no watch",
            extra={"action": "poll", "every_s": POLL_S, "cause": error.strerror},
        )
        yield False
        return
    loop = asyncio.get_running_loop()

    def noticed() -> None:
        os.read(inotify.fd, 64 * 1024)
        changed.set()

    try:
        inotify.add_watch(folder, _CHANGES)
        loop.add_reader(inotify.fd, noticed)
        yield True
    finally:
        loop.remove_reader(inotify.fd)
        # The kernel takes some 10 ms for it; the model is to be asked meanwhile.
        threading.Thread(target=inotify.close, name="unwatch").start()
