"""Storing what one poll brought: in order within a chat, and chats beside each other."""

import asyncio
from collections.abc import Sequence

from sympozium.contract.errors import SympoziumError, TransientError
from sympozium_telegram.entities import Me
from sympozium_telegram.inbound import Inbound
from sympozium_telegram.updates import chat_number, update_number

MAX_LANES = 16


class Batch:
    """The updates of one poll. What cannot be stored holds back only what came after it.

    Attributes:
        offset: What may be confirmed by it is stored or set aside; None: nothing is.
        error: Why not all of it is stored.
    """

    def __init__(
        self, updates: Sequence[object], inbound: Inbound, me: Me, stop: asyncio.Event
    ) -> None:
        self._updates = updates
        self._inbound = inbound
        self._me = me
        self._stop = stop
        self._is_taken = [False] * len(updates)
        self.error: SympoziumError | None = None

    async def take(self) -> None:
        """Store all of it, or as much as can be; after the stop nothing new is begun."""
        lanes: dict[int, list[int]] = {}
        for place, raw in enumerate(self._updates):
            lanes.setdefault(chat_number(raw), []).append(place)
        slots = asyncio.Semaphore(MAX_LANES)
        async with asyncio.TaskGroup() as group:
            for lane in lanes.values():
                group.create_task(self._take_lane(lane, slots))
        if self._updates and all(update_number(raw) is None for raw in self._updates):
            self.error = TransientError("cannot confirm updates: none of them has an id")

    @property
    def offset(self) -> int | None:
        """Return the offset behind everything up to the first update that is not taken."""
        taken: list[int] = []
        left: list[int] = []
        for raw, is_taken in zip(self._updates, self._is_taken, strict=True):
            number = update_number(raw)
            if number is not None:
                (taken if is_taken else left).append(number)
        if left:
            return min(left) if taken and min(taken) < min(left) else None
        return max(taken) + 1 if taken else None

    async def _take_lane(self, lane: Sequence[int], slots: asyncio.Semaphore) -> None:
        async with slots:
            for number, place in enumerate(lane):
                if self._stop.is_set():
                    return
                try:
                    await self._inbound.take(self._updates[place], self._me)
                except SympoziumError as error:
                    self.error = error
                    for behind in lane[number + 1 :]:
                        self._inbound.hold(self._updates[behind], self._me)
                    return
                self._is_taken[place] = True
