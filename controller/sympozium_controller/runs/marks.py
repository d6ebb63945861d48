"""The controller's own notes: which run event it was about to take in when it died.

They lie in the stream of the events, on subjects that nobody reads as events: the
controller has no store, and an object for them would cost writes to the API server.
"""

from collections.abc import Iterable, Mapping
from uuid import uuid4

from sympozium.bus.ports import Bus
from sympozium.contract.subjects import RUNS, controller_mark


class BusMarks:
    """`Marks` on the bus, for all controllers. Every method raises as the bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def read(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the notes of *keys* that are kept."""
        found: dict[str, str] = {}
        for key in keys:
            stored = await self._bus.last(RUNS, controller_mark(key))
            if stored is not None and stored.data:
                found[key] = stored.data.decode(errors="replace")
        return found

    async def keep(self, kept: Mapping[str, str]) -> None:
        """Keep notes by key; they are on disk when this returns. An empty one is forgotten."""
        for key, text in kept.items():
            # The same may be said twice within minutes, and is no repetition.
            await self._bus.publish(controller_mark(key), text.encode(), message_id=uuid4().hex)
