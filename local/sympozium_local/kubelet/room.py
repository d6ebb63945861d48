"""How many pods this machine runs at once, and how many of them may begin at once.

Without this, a burst of messages starts all its pods together: they share the
processors so thinly that each one misses the deadlines of the others. What does
not fit waits, first come first served, as it would wait for a scheduler.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

from sympozium.contract.resources import Object
from sympozium_local.kubelet.quantity import parse_quantity

MAX_PODS = 110
"""Source: https://kubernetes.io/docs/setup/best-practices/cluster-large/ (pods per node)."""

STARTS_PER_PROCESSOR = 2

TOLD_AFTER_S = 2.0
"""A pod that waits longer is said to wait, as a scheduler says at once; most wait shorter."""

START_PATIENCE_S = 2.0
"""A pod that has not started by then no longer keeps others from starting."""


@dataclass(frozen=True)
class Need:
    """What a pod asks for: processors, bytes of memory, and a place."""

    cpu: Decimal
    memory: Decimal
    pods: int = 1

    def plus(self, other: "Need") -> "Need":
        """Return both together."""
        return Need(self.cpu + other.cpu, self.memory + other.memory, self.pods + other.pods)

    def minus(self, other: "Need") -> "Need":
        """Return what is left without *other*."""
        return Need(self.cpu - other.cpu, self.memory - other.memory, self.pods - other.pods)

    def fits(self, capacity: "Need") -> bool:
        """Return whether *capacity* is enough."""
        enough = self.cpu <= capacity.cpu and self.memory <= capacity.memory
        return enough and self.pods <= capacity.pods


class Room:
    """Hands out what the machine has. A pod that asks for more than all of it runs alone."""

    def __init__(self, capacity: Need, *, starts: int) -> None:
        self._capacity = capacity
        self._taken = Need(Decimal(0), Decimal(0), 0)
        self._waiting: deque[tuple[Need, asyncio.Event]] = deque()
        self._starts = asyncio.Semaphore(starts)

    @asynccontextmanager
    async def held(
        self, need: Need, tell: Callable[[bool], None] = lambda _: None
    ) -> AsyncIterator[None]:
        """Wait for room, in the order of asking, and have it while the block lasts.

        Where that takes a while, *tell* is called with True, and with False when it is over.
        """
        need = Need(
            min(need.cpu, self._capacity.cpu), min(need.memory, self._capacity.memory), need.pods
        )
        turn = asyncio.Event()
        self._waiting.append((need, turn))
        self._let_in()
        try:
            await _wait_and_tell(turn, tell)
            yield
        finally:
            if turn.is_set():
                self._taken = self._taken.minus(need)
            else:
                self._waiting.remove((need, turn))
            self._let_in()

    async def start_slot(self) -> "StartSlot":
        """Wait until few enough pods are starting, and be one of them."""
        await self._starts.acquire()
        return StartSlot(self._starts)

    def _let_in(self) -> None:
        while self._waiting:
            need, turn = self._waiting[0]
            if not self._taken.plus(need).fits(self._capacity):
                return
            self._taken = self._taken.plus(need)
            self._waiting.popleft()
            turn.set()


async def _wait_and_tell(turn: asyncio.Event, tell: Callable[[bool], None]) -> None:
    try:
        async with asyncio.timeout(TOLD_AFTER_S):
            await turn.wait()
    except TimeoutError:
        tell(True)
        await turn.wait()
        tell(False)


class StartSlot:
    """The right to start, which a pod gives back once it has started, or after 2 s."""

    def __init__(self, starts: asyncio.Semaphore) -> None:
        self._starts = starts
        self._timer = asyncio.get_running_loop().call_later(START_PATIENCE_S, self.release)
        self._is_held = True

    def release(self) -> None:
        """Let another pod start. Doing it again does nothing."""
        self._timer.cancel()
        if self._is_held:
            self._is_held = False
            self._starts.release()


def machine_room() -> Room:
    """Return the room of this machine."""
    processors = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    capacity = Need(Decimal(processors), Decimal(memory), MAX_PODS)
    return Room(capacity, starts=STARTS_PER_PROCESSOR * processors)


def need_of(pod: Object) -> Need:
    """Return what *pod* asks for: its containers and sidecars together.

    Raises:
        PermanentError: A request is no quantity.
    """
    spec = pod["spec"]
    sidecars = [c for c in spec.get("initContainers") or [] if c.get("restartPolicy") == "Always"]
    total = Need(Decimal(0), Decimal(0), 1)
    for container in (*spec["containers"], *sidecars):
        requests = (container.get("resources") or {}).get("requests") or {}
        total = total.plus(
            Need(
                parse_quantity(requests.get("cpu", 0)), parse_quantity(requests.get("memory", 0)), 0
            )
        )
    return total
