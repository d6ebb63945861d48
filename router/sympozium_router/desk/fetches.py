"""Handing out files: parts of them from the FILES stream, to who may have them.

Nobody but the router reads a stream. A channel may have what it brought itself and
what its runs made; a run may have what its channel brought and what it made itself.
"""

import logging
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sympozium.bus.ports import Bus, LiveBus
from sympozium.contract.desk import FetchAnswer, FetchRequest
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.files import MAX_PARTS
from sympozium.contract.limits import FILE_PART_BYTES
from sympozium.contract.names import RunUid, is_subject_token
from sympozium.contract.resources import Object
from sympozium.contract.subjects import FILES, ROUTER_GROUP, channel_of, file_part
from sympozium.store.ports import ChannelKey, Transcripts
from sympozium_router.world.cluster import Cluster

log = logging.getLogger(__name__)

SUBJECTS = "fetch.*.*"
MAX_PART_BYTES = 2 * FILE_PART_BYTES
"""Longer ones do not fit an answer; whoever stored them did not cut the file as agreed."""


class FileBus(Bus, LiveBus, Protocol):
    """A bus that both stores and answers."""


class Fetches:
    """Reads parts of files for channels and runs."""

    def __init__(self, bus: FileBus, store: Transcripts, cluster: Cluster) -> None:
        self._bus = bus
        self._store = store
        self._cluster = cluster

    def responding(self) -> AbstractAsyncContextManager[None]:
        """Answer while the block lasts; of several routers one answers."""
        return self._bus.respond(SUBJECTS, self.answer, group=ROUTER_GROUP)

    async def answer(self, subject: str, data: bytes) -> bytes:
        """Return an encoded `FetchAnswer`; the subject says who asks."""
        try:
            namespace, asker = channel_of(subject)
            request = decode(data, FetchRequest)
            await self._authorize(namespace, asker, request.owner)
            return encode(FetchAnswer(data=await self._part(namespace, request)))
        except PermanentError as error:
            return encode(FetchAnswer(error=str(error)))
        except TransientError as error:
            log.warning("file not read yet", extra={"action": "retry", "cause": str(error)})
            return encode(FetchAnswer(error="the file cannot be read now", retry=True))

    async def _part(self, namespace: str, request: FetchRequest) -> bytes:
        if not is_subject_token(request.id) or not 0 <= request.part < MAX_PARTS:
            raise PermanentError("cannot read the file: there is no such part")
        subject = file_part(namespace, request.owner, request.id, request.part)
        stored = await self._bus.last(FILES, subject)
        if stored is None:
            raise PermanentError("cannot read the file: it is gone")
        if len(stored.data) > MAX_PART_BYTES:
            raise PermanentError("cannot read the file: a part of it is too long")
        return stored.data

    async def _authorize(self, namespace: str, asker: str, owner: str) -> None:
        """Return if *asker* may read files of *owner*.

        Raises:
            PermanentError: It may not.
            StoreUnavailableError: It cannot be told now.
        """
        if asker == owner:
            return
        asking = self._cluster.known_run_by_uid(namespace, RunUid(asker))
        if asking is not None:
            if _channel_of_run(asking) == owner:
                return
        elif await self._made_for(ChannelKey(namespace, asker), RunUid(owner)):
            return
        raise PermanentError("cannot read the file: it is not this reader's")

    async def _made_for(self, channel: ChannelKey, uid: RunUid) -> bool:
        """Return whether the run of *uid* answered a message of *channel*, deleted or not."""
        run = self._cluster.known_run_by_uid(channel.namespace, uid)
        if run is not None:
            return _channel_of_run(run) == channel.channel
        return await self._store.is_run_of(channel, uid)


def _channel_of_run(run: Object) -> str:
    source = run["spec"].get("source") or {}
    return str(source.get("channel", ""))
