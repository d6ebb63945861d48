"""A queue of keys to reconcile: each key at most once at a time, and never forgotten.

A key added while it is being worked on is worked on again afterwards, so a change
that arrives in the middle is seen. A key whose work fails comes back later.
"""

import asyncio
import heapq
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

from sympozium.contract.errors import TransientError
from sympozium.kube.measures import RECONCILE_FAILED, RECONCILE_TOOK, Hitch, QueueName
from sympozium.kube.shares import FirstCome, Owner, Shares
from sympozium.runtime.metrics import text_of

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

DEPTH = "sympozium_queue_depth"
PUT_OFF = "sympozium_queue_put_off"

FIRST_BACKOFF_S = 0.05
MAX_BACKOFF_S = 30.0


class WorkQueue(Generic[K]):
    """Keys waiting for a worker, now or at a time.

    Where somebody waits for the outcome, *max_backoff_s* bounds how much later
    than a fault its effects may end. With an *owner* the workers are shared out fairly
    between those to whom keys belong, and a single one of them has half at the most.
    """

    def __init__(
        self,
        name: QueueName = QueueName.OTHER,
        *,
        max_backoff_s: float = MAX_BACKOFF_S,
        owner: Owner[K] | None = None,
    ) -> None:
        self._name = name
        self._max_backoff_s = max_backoff_s
        self._ready: Shares[K] | FirstCome[K] = Shares(owner) if owner else FirstCome()
        self._waiting: set[K] = set()
        self._active: set[K] = set()
        self._dirty: set[K] = set()
        self._later: list[tuple[float, int, K]] = []
        self._failures: dict[K, int] = {}
        self._count = 0
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def name(self) -> QueueName:
        """Whose keys these are."""
        return self._name

    @property
    def put_off(self) -> int:
        """How many keys failed when they were last worked on."""
        return len(self._failures)

    def add(self, key: K) -> None:
        """Have *key* worked on as soon as a worker is free."""
        if key in self._active:
            self._dirty.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.add(key)
            self._wake.set()

    def add_after(self, key: K, delay_s: float) -> None:
        """Have *key* worked on no sooner than in *delay_s* seconds."""
        self._count += 1
        due = asyncio.get_running_loop().time() + delay_s
        heapq.heappush(self._later, (due, self._count, key))
        self._wake.set()

    def hurry(self) -> None:
        """Have every key that was put off worked on now: what was away is back."""
        while self._later:
            self._promote()

    async def work(
        self, handle: Callable[[K], Awaitable[None]], stop: asyncio.Event, *, workers: int = 8
    ) -> None:
        """Call *handle* for each key until *stop* is set; what is begun is finished.

        A key for which *handle* raises comes back after 0.05 s, doubling to the maximum.
        """
        _at_work.append(self)
        try:
            async with asyncio.TaskGroup() as group:
                feeder = group.create_task(self._feed(handle, group, workers))
                await stop.wait()
                feeder.cancel()
        finally:
            _at_work.remove(self)

    async def _feed(
        self,
        handle: Callable[[K], Awaitable[None]],
        group: asyncio.TaskGroup,
        workers: int,
    ) -> None:
        while True:
            key = await self._next(workers)
            self._active.add(key)
            group.create_task(self._one(key, handle))

    async def _next(self, workers: int) -> K:
        loop = asyncio.get_running_loop()
        while True:
            while self._later and self._later[0][0] <= loop.time():
                self._promote()
            key = self._ready.take(free=workers - len(self._active))
            if key is not None:
                self._waiting.discard(key)
                return key
            self._wake.clear()
            due = self._later[0][0] if self._later else None
            try:
                async with asyncio.timeout_at(due):
                    await self._wake.wait()
            except TimeoutError:  # a timer may end a clock tick before its time
                while self._later and due is not None and self._later[0][0] <= due:
                    self._promote()

    def _promote(self) -> None:
        self.add(heapq.heappop(self._later)[2])

    async def _one(self, key: K, handle: Callable[[K], Awaitable[None]]) -> None:
        try:
            with RECONCILE_TOOK.timed(self._name):
                await handle(key)
        except Exception as error:  # noqa: BLE001 - a bug with one key must not stop the others
            self._back_off(key, error)
        else:
            self._failures.pop(key, None)
        finally:
            self._active.discard(key)
            self._ready.done(key)
            self._wake.set()
            if key in self._dirty:
                self._dirty.discard(key)
                self.add(key)

    def _back_off(self, key: K, error: Exception) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay_s = min(FIRST_BACKOFF_S * 2.0 ** min(failures, 30), self._max_backoff_s)
        extra = {"action": "retry", "key": str(key), "attempt": failures + 1, "cause": str(error)}
        is_away = isinstance(error, TransientError)
        RECONCILE_FAILED.add(self._name, Hitch.AWAY if is_away else Hitch.BUG)
        if is_away:
            log.warning("reconcile failed", extra=extra)
        else:
            log.error("reconcile failed", extra=extra, exc_info=error)
        self.add_after(key, delay_s)


_at_work: list[WorkQueue[Any]] = []


def depths_as_text() -> str:
    """Return how much waits in the queues of this process, in the text form of metrics."""
    ready: Counter[str] = Counter()
    put_off: Counter[str] = Counter()
    for queue in _at_work:
        ready[queue.name] += len(queue)
        put_off[queue.name] += queue.put_off
    return "".join(
        text_of(name, "gauge", says, [({"queue": queue}, count) for queue, count in counts.items()])
        for name, says, counts in (
            (DEPTH, "Keys that wait for a worker.", ready),
            (PUT_OFF, "Keys that failed when they were last worked on.", put_off),
        )
    )
