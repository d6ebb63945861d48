"""The router's own notes: which message it was about to handle when it died."""

from collections.abc import Iterable, Mapping

from sympozium.contract.desk import NotesRequest
from sympozium.store.ports import ChannelKey, Notes
from sympozium_router.clock import Clock

_OURS = ChannelKey("", "router")
"""Owner of these notes. No channel can be it: no namespace is empty."""


class StoreMarks:
    """`Marks` in the session store, for all routers. Every method raises as the store."""

    def __init__(self, store: Notes, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def read(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the notes of *keys* that are kept."""
        request = NotesRequest(get=list(keys))
        return (await self._store.note(_OURS, request, now=self._clock())).notes

    async def keep(self, kept: Mapping[str, str]) -> None:
        """Keep notes by key; they are on disk when this returns. An empty one is forgotten."""
        await self._store.note(_OURS, NotesRequest(put=dict(kept)), now=self._clock())
