"""Telling the controller which finished runs, and which channels, somebody still waits for."""

import logging
from contextlib import AbstractAsyncContextManager

from sympozium.bus.ports import Bus, BusUnavailableError, LiveBus, NoConsumerError
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError
from sympozium.contract.subjects import INBOX, ROUTER_GROUP, inbox, inbox_consumer
from sympozium.contract.waiting import Asked, WaitingAnswer, WaitingRequest
from sympozium.store.ports import MessageKey, StoreUnavailableError, Unfinished

log = logging.getLogger(__name__)

SUBJECTS = "waiting.*"


class Waiting:
    """Answers `contract.waiting.WaitingRequest` from the session store."""

    def __init__(self, asked_by: LiveBus, bus: Bus, store: Unfinished) -> None:
        self._asked_by = asked_by
        self._bus = bus
        self._store = store

    def responding(self) -> AbstractAsyncContextManager[None]:
        """Answer while the block lasts; of several routers one answers."""
        return self._asked_by.respond(SUBJECTS, self.answer, group=ROUTER_GROUP)

    async def answer(self, subject: str, data: bytes) -> bytes:
        """Return an encoded `WaitingAnswer`."""
        try:
            return encode(await self._read(subject.split(".")[1], decode(data, WaitingRequest)))
        except PermanentError as error:
            return encode(WaitingAnswer(waiting=[], error=str(error)))
        except StoreUnavailableError as error:
            log.warning("cannot say who waits", extra={"action": "retry", "cause": str(error)})
            return encode(WaitingAnswer(waiting=[], error="the session store is away; ask again"))
        except BusUnavailableError as error:
            log.warning("cannot say who waits", extra={"action": "retry", "cause": str(error)})
            return encode(WaitingAnswer(waiting=[], error="the bus is away; ask again"))

    async def _read(self, namespace: str, request: WaitingRequest) -> WaitingAnswer:
        keys = [MessageKey(namespace, one.channel, one.message_id) for one in request.messages]
        found = await self._store.unpublished(keys)
        waiting = [Asked(channel=key.channel, message_id=key.message_id) for key in found]
        return WaitingAnswer(
            waiting=waiting, open_channels=await self._open(namespace, request.channels)
        )

    async def _open(self, namespace: str, asked: list[str]) -> list[str]:
        """Return those of the channels *asked* that have a message whose end is not published.

        Looked for from where messages come to where they go: none slips through in between.
        """
        unhandled = [one for one in asked if await self._is_unhandled(namespace, one)]
        talks = await self._store.open_conversations() if asked else ()
        found = {talk.channel for talk in talks if talk.namespace == namespace}
        return [channel for channel in asked if channel in found or channel in unhandled]

    async def _is_unhandled(self, namespace: str, channel: str) -> bool:
        """Return whether INBOX may hold what no router has dealt with, and so no store knows."""
        last = await self._bus.last(INBOX, inbox(namespace, channel))
        if last is None:
            return False
        try:
            state = await self._bus.state(inbox_consumer(namespace))
        except NoConsumerError:  # nobody reads it yet
            return True
        return state.acknowledged < last.sequence
