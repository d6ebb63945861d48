"""Who listens to which conversation now, and what each is still to be sent.

A listener that does not read costs a bounded amount of memory: it is dropped
when too much waits for it, and resumes from the transcript.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sympozium.contract.names import ConversationId
from sympozium_web.events import Event

MAX_LISTENERS = 256
MAX_WAITING_EVENTS = 1024
MAX_WAITING_BYTES = 1024 * 1024


class AudienceFullError(Exception):
    """There are as many listeners as this program serves."""


class Listener:
    """One open event stream."""

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self._is_over = False
        self.fell_behind = False
        """Whether its client reads more slowly than things happen."""

    @property
    def is_over(self) -> bool:
        """Whether the stream is to be closed: it fell behind, or the program stops."""
        return self._is_over

    @property
    def waiting_ends(self) -> frozenset[int]:
        """The OUTBOX sequences of the ends that wait to be sent."""
        return frozenset(event.sequence for event in self._waiting if event.is_end)

    def put(self, event: Event) -> None:
        """Have *event* sent, unless too much is waiting: then the stream is over."""
        if self._is_over:
            return
        self._waiting.append(event)
        self._waiting_bytes += len(event.wire)
        too_many = len(self._waiting) > MAX_WAITING_EVENTS
        if too_many or self._waiting_bytes > MAX_WAITING_BYTES + len(event.wire):
            self.fell_behind = True
            self.close()
        self._changed.set()

    def close(self) -> None:
        """End the stream; what waits is not sent."""
        self._is_over = True
        self._waiting.clear()
        self._changed.set()

    def forget_live(self) -> None:
        """Take back what was said of runs at work, for a newer account of them follows."""
        kept = [event for event in self._waiting if not event.is_live]
        self._waiting = deque(kept)
        self._waiting_bytes = sum(len(event.wire) for event in kept)

    async def wait(self, *, timeout_s: float) -> list[Event]:
        """Return what waits to be sent, as soon as there is something.

        Empty when nothing came within *timeout_s*, or the stream is over.
        """
        if not self._waiting and not self._is_over:
            self._changed.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._changed.wait()
            except TimeoutError:
                return []
        events = list(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        return events


class Audience:
    """All listeners, by conversation."""

    def __init__(self) -> None:
        self._listeners: dict[ConversationId, set[Listener]] = {}
        self._count = 0
        self._is_closed = False

    @contextmanager
    def join(self, conversation: ConversationId) -> Iterator[Listener]:
        """Listen to a conversation while the block lasts.

        Raises:
            AudienceFullError: There are too many listeners; try again later.
        """
        if self._count >= MAX_LISTENERS or self._is_closed:
            raise AudienceFullError
        listener = Listener()
        self._listeners.setdefault(conversation, set()).add(listener)
        self._count += 1
        try:
            yield listener
        finally:
            self._count -= 1
            listeners = self._listeners[conversation]
            listeners.discard(listener)
            if not listeners:
                del self._listeners[conversation]

    def show(self, conversation: ConversationId, event: Event) -> None:
        """Hand *event* to everybody who listens to the conversation now."""
        for listener in self._listeners.get(conversation, ()):
            listener.put(event)

    def close(self) -> None:
        """End every stream, so that its client asks whoever serves next."""
        self._is_closed = True
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.close()
