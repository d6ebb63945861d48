"""Making room in INBOX: what is handled goes before what is new is refused.

INBOX keeps what was handled, as a record, and counts it: without this module a
flood of long messages would fill it, and everything would be refused until the
oldest of them is two weeks old, though nobody waits for any of it.
"""

import asyncio
import logging

import nats.errors
from nats.aio.client import Client

from sympozium.bus.ports import BusUnavailableError
from sympozium.contract.subjects import INBOX, INBOX_CONSUMER

log = logging.getLogger(__name__)

FULL_FROM = 0.75
"""The share of its size from which on the older half of INBOX goes, as far as it is handled."""

LOOK_EVERY_S = 10.0


async def make_room(client: Client) -> int:
    """Remove the oldest messages of INBOX if it is nearly full; return how many went.

    Only what routers have settled goes. What waits for them stays, and then INBOX
    refuses what is new rather than drop what is accepted.

    Raises:
        BusUnavailableError: The bus does not answer, or refuses.
    """
    stream = client.jetstream()
    try:
        info = await stream.stream_info(INBOX)
        size_bytes = info.config.max_bytes or 0
        if info.state.bytes < FULL_FROM * size_bytes:
            return 0
        router = await stream.consumer_info(INBOX, INBOX_CONSUMER.name)
        settled = router.ack_floor.stream_seq if router.ack_floor else 0
        middle = (info.state.first_seq + info.state.last_seq) // 2
        keep_from = min(settled, middle) + 1
        if keep_from > info.state.first_seq:
            await stream.purge_stream(INBOX, seq=keep_from)
    except (nats.errors.Error, TimeoutError, OSError) as error:
        raise BusUnavailableError(f"cannot make room in {INBOX}: {type(error).__name__}") from error
    return max(keep_from - info.state.first_seq, 0)


class Room:
    """Sees to it that INBOX has room, while there is something in it that nobody needs."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def run(self, stop: asyncio.Event) -> None:
        """Look again and again until *stop* is set."""
        while not stop.is_set():
            await self._look()
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _look(self) -> None:
        try:
            gone = await make_room(self._client)
        except BusUnavailableError as error:
            log.warning("no room made", extra={"action": "retry", "cause": str(error)})
            return
        if gone:
            log.warning("handled messages removed", extra={"action": "make_room", "count": gone})
