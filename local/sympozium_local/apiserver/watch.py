"""The recent changes of each kind, in memory, and those who follow them.

A watcher keeps a place in its kind's log instead of a queue of its own: a slow
one costs nothing, and one that falls out of the log is told 410 Gone and lists
again, as is one that asks for a version from before this process started.
"""

import asyncio
from dataclasses import dataclass

from sympozium_local.apiserver.errors import expired
from sympozium_local.apiserver.selectors import EVERYTHING, Selector
from sympozium_local.apiserver.store import ADDED, DELETED, MODIFIED, Change, Store

LOG_LENGTH = 1_000
"""Changes of one kind that can still be resumed from."""

LOG_BYTES = 4 * 1024 * 1024
"""Size of the objects in them, beyond which fewer can: answers may be long."""


@dataclass(frozen=True)
class Filter:
    """What a watcher wants of its kind. An empty namespace means all."""

    namespace: str = ""
    selector: Selector = EVERYTHING

    def event_type(self, change: Change) -> str | None:
        """Return what *change* is to this watcher; None: it does not concern it.

        An object whose labels begin to match appears, one whose labels stop
        matching disappears.
        """
        if self.namespace and change.namespace != self.namespace:
            return None
        if not self.selector:
            return change.type
        is_in = change.type != DELETED and self._selects(change, is_old=False)
        was_in = change.type != ADDED and self._selects(change, is_old=True)
        if is_in:
            return MODIFIED if was_in else ADDED
        return DELETED if was_in else None

    def _selects(self, change: Change, *, is_old: bool) -> bool:
        facets = change.old_facets if is_old else change.facets
        return self.selector.matches(facets, change.namespace, change.name)


class Log:
    """The recent changes of one kind.

    Attributes:
        floor: The oldest resource version from which nothing is missing.
        is_closed: There will be no more changes; whoever follows shall list again.
    """

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self._changes: list[Change] = []
        self._first = 0
        self._size_bytes = 0
        self._news = asyncio.Event()
        self.is_closed = False

    def append(self, change: Change) -> None:
        """Add the latest change and wake those who wait."""
        self._changes.append(change)
        self._size_bytes += len(change.raw)
        if len(self._changes) >= 2 * LOG_LENGTH or self._size_bytes >= 2 * LOG_BYTES:
            self._forget_older_half()
        self._wake()

    def _forget_older_half(self) -> None:
        half = len(self._changes) // 2
        if half:  # the latest one is always kept
            self.floor = self._changes[half - 1].version
            self._size_bytes -= sum(len(change.raw) for change in self._changes[:half])
            del self._changes[:half]
            self._first += half

    def close(self) -> None:
        """End all watches of this kind."""
        self.is_closed = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def place(self, version: int) -> int:
        """Return where to read on for one who knows everything up to *version*.

        Raises:
            ApiError: 410, changes after *version* are forgotten.
        """
        if version < self.floor:
            raise expired(f"too old resource version: {version} ({self.floor})")
        place = self._first + len(self._changes)
        for change in reversed(self._changes):
            if change.version <= version:
                break
            place -= 1
        return place

    def read(self, place: int) -> list[Change] | None:
        """Return the changes from *place* on; None: some of them are forgotten."""
        return None if place < self._first else self._changes[place - self._first :]

    def news(self) -> asyncio.Event:
        """Return the event that is set at the next change."""
        return self._news


class Watches:
    """The logs of all kinds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._floor = store.version
        self._logs: dict[str, Log] = {}
        store.listen(lambda change: self.log(change.key).append(change))

    def log(self, key: str) -> Log:
        """Return the log of one kind."""
        log = self._logs.get(key)
        if log is None:
            log = self._logs[key] = Log(self._floor)
        return log

    def forget(self, key: str) -> None:
        """End all watches of a kind: what its objects look like has changed."""
        self.log(key).close()
        self._logs[key] = Log(self._store.version)

    def close(self) -> None:
        """End all watches, for good."""
        for log in self._logs.values():
            log.close()
