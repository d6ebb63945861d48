"""Looking at something again later, once, however often that is asked for.

A queue's own delays add up: each look at a thing that is still not there would
order one more look than there was before.
"""

import asyncio

from sympozium.kube.informer import Key
from sympozium.kube.queue import WorkQueue

TICK_S = 0.01
"""A timer may end a tick of the clock before its time; its reminder is then over all the same."""


class Reminders:
    """At most one reminder a key: the earliest that was asked for."""

    def __init__(self, queue: WorkQueue[Key]) -> None:
        self._queue = queue
        self._due: dict[Key, float] = {}

    def remind(self, key: Key, after_s: float) -> None:
        """Have *key* worked on in *after_s* seconds, unless it will be before anyway."""
        now = asyncio.get_running_loop().time()
        if now + TICK_S < self._due.get(key, 0.0) <= now + after_s:
            return
        self._due[key] = now + after_s
        self._queue.add_after(key, after_s)

    def forget(self, key: Key) -> None:
        """Let go of a key that is there no more; a reminder that is out comes to nothing."""
        self._due.pop(key, None)
