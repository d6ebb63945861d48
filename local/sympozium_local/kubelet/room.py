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
from dataclasses import dataclass, replace
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
    """What a pod asks for: processors, bytes of memory, and a place.

    Attributes:
        stays: It ends only when somebody ends it; nobody waits for its room.
    """

    cpu: Decimal
    memory: Decimal
    pods: int = 1
    stays: bool = False

    def plus(self, other: "Need") -> "Need":
        """Return both together."""
        return replace(
            self,
            cpu=self.cpu + other.cpu,
            memory=self.memory + other.memory,
            pods=self.pods + other.pods,
        )

    def minus(self, other: "Need") -> "Need":
        """Return what is left without *other*."""
        return replace(
            self,
            cpu=self.cpu - other.cpu,
            memory=self.memory - other.memory,
            pods=self.pods - other.pods,
        )

    def fits(self, capacity: "Need") -> bool:
        """Return whether *capacity* is enough."""
        enough = self.cpu <= capacity.cpu and self.memory <= capacity.memory
        return enough and self.pods <= capacity.pods


_NOTHING = Need(Decimal(0), Decimal(0), 0)


class Room:
    """Hands out what the machine has. A pod that asks for more than all of it runs alone.

    If it can: where something that stays is on the machine, it waits in nobody's way.
    """

    def __init__(self, capacity: Need, *, starts: int) -> None:
        self._capacity = capacity
        self._taken = _NOTHING
        self._taken_for_good = _NOTHING
        self._waiting: deque[tuple[Need, asyncio.Event]] = deque()
        self._starts = asyncio.Semaphore(starts)

    @asynccontextmanager
    async def held(
        self, need: Need, tell: Callable[[bool], None] = lambda _: None
    ) -> AsyncIterator[None]:
        """Wait for room, in the order of asking, and have it while the block lasts.

        Where that takes a while, *tell* is called with True, and with False when it is over.
        """
        capacity = self._capacity
        need = replace(
            need, cpu=min(need.cpu, capacity.cpu), memory=min(need.memory, capacity.memory)
        )
        turn = asyncio.Event()
        self._waiting.append((need, turn))
        self._let_in()
        try:
            await _wait_and_tell(turn, tell)
            yield
        finally:
            if turn.is_set():
                self._give_back(need)
            else:
                self._waiting.remove((need, turn))
            self._let_in()

    async def start_slot(self) -> "StartSlot":
        """Wait until few enough pods are starting, and be one of them."""
        await self._starts.acquire()
        return StartSlot(self._starts)

    def _let_in(self) -> None:
        """Let in who fits, up to the first who has to wait for others to end.

        Who would not fit even then keeps nobody waiting.
        """
        for need, turn in list(self._waiting):
            if self._taken.plus(need).fits(self._capacity):
                self._take(need)
                self._waiting.remove((need, turn))
                turn.set()
            elif self._taken_for_good.plus(need).fits(self._capacity):
                return

    def _take(self, need: Need) -> None:
        self._taken = self._taken.plus(need)
        if need.stays:
            self._taken_for_good = self._taken_for_good.plus(need)

    def _give_back(self, need: Need) -> None:
        self._taken = self._taken.minus(need)
        if need.stays:
            self._taken_for_good = self._taken_for_good.minus(need)


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
    stays = spec.get("restartPolicy", "Always") == "Always"
    total = Need(Decimal(0), Decimal(0), 1, stays)
    for container in (*spec["containers"], *sidecars):
        requests = (container.get("resources") or {}).get("requests") or {}
        total = total.plus(
            Need(
                parse_quantity(requests.get("cpu", 0)), parse_quantity(requests.get("memory", 0)), 0
            )
        )
    return total
