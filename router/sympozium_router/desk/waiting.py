"""Telling the controller which finished runs somebody still waits for."""

import logging
from contextlib import AbstractAsyncContextManager

from sympozium.bus.ports import LiveBus
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError
from sympozium.contract.subjects import ROUTER_GROUP
from sympozium.contract.waiting import Asked, WaitingAnswer, WaitingRequest
from sympozium.store.ports import MessageKey, StoreUnavailableError, Unfinished

log = logging.getLogger(__name__)

SUBJECTS = "waiting.*"


class Waiting:
    """Answers `contract.waiting.WaitingRequest` from the session store."""

    def __init__(self, bus: LiveBus, store: Unfinished) -> None:
        self._bus = bus
        self._store = store

    def responding(self) -> AbstractAsyncContextManager[None]:
        """Answer while the block lasts; of several routers one answers."""
        return self._bus.respond(SUBJECTS, self.answer, group=ROUTER_GROUP)

    async def answer(self, subject: str, data: bytes) -> bytes:
        """Return an encoded `WaitingAnswer`."""
        try:
            return encode(await self._read(subject.split(".")[1], decode(data, WaitingRequest)))
        except PermanentError as error:
            return encode(WaitingAnswer(waiting=[], error=str(error)))
        except StoreUnavailableError as error:
            log.warning("cannot say who waits", extra={"action": "retry", "cause": str(error)})
            return encode(WaitingAnswer(waiting=[], error="the session store is away; ask again"))

    async def _read(self, namespace: str, request: WaitingRequest) -> WaitingAnswer:
        keys = [MessageKey(namespace, one.channel, one.message_id) for one in request.messages]
        found = await self._store.unpublished(keys)
        waiting = [Asked(channel=key.channel, message_id=key.message_id) for key in found]
        return WaitingAnswer(waiting=waiting)
