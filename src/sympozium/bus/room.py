"""Making room in INBOX and OUTBOX: what is handled goes before anything that waits suffers.

Both keep what was handled, as a record, and count it. Without this module a flood
of long messages would fill INBOX, and everything would be refused until the oldest
of them is two weeks old, though nobody waits for any of it; a flood of long
answers would push those out of OUTBOX that another channel has not shown yet.
"""

import asyncio
import logging

from nats.aio.client import Client
from nats.js.api import StreamInfo

from sympozium.bus.admin import REQUEST_TIMEOUT_S, channel_consumers
from sympozium.bus.cancelled import heed_cancellation
from sympozium.bus.failures import asked_to
from sympozium.bus.ports import BusUnavailableError
from sympozium.bus.states import consumer_names
from sympozium.contract.subjects import INBOX, OUTBOX, namespace_of_line
from sympozium.runtime.loops import pause

log = logging.getLogger(__name__)

FULL_FROM = 0.75
"""The share of its size from which on the older half of a stream goes, as far as it is handled."""

LOOK_EVERY_S = 10.0


async def make_room(client: Client) -> int:
    """Remove the oldest messages of INBOX and OUTBOX where they are nearly full; return how many.

    Only what its reader has settled goes: in INBOX the line of each namespace, in OUTBOX
    each channel. An INBOX that is full of what waits refuses what is new rather than
    drop what is accepted.

    Raises:
        BusUnavailableError: The bus does not answer, or refuses.
    """
    gone = 0
    with asked_to("make room"):
        for stream in (INBOX, OUTBOX):
            info = await client.jetstream(timeout=REQUEST_TIMEOUT_S).stream_info(stream)
            heed_cancellation()
            if info.state.bytes >= FULL_FROM * (info.config.max_bytes or 0):
                gone += await _remove_settled(client, stream, info)
    return gone


async def _remove_settled(client: Client, stream: str, full: StreamInfo) -> int:
    bus = client.jetstream(timeout=REQUEST_TIMEOUT_S)
    middle = (full.state.first_seq + full.state.last_seq) // 2
    for reader in await _readers(client, stream):
        consumer = await bus.consumer_info(stream, reader)
        settled = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
        if settled:
            keep_from = min(settled, middle) + 1
            await bus.purge_stream(stream, seq=keep_from, subject=consumer.config.filter_subject)
    left = (await bus.stream_info(stream)).state.messages
    return max(full.state.messages - left, 0)


async def _readers(client: Client, stream: str) -> list[str]:
    if stream == OUTBOX:
        return await channel_consumers(client)
    names = await consumer_names(client, stream, REQUEST_TIMEOUT_S)
    return [name for name in names if namespace_of_line(name)]


class Room:
    """Sees to it that there is room, while there is something that nobody needs."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def run(self, stop: asyncio.Event) -> None:
        """Look again and again until *stop* is set."""
        while not stop.is_set():
            await self._look()
            await pause(LOOK_EVERY_S, stop)

    async def _look(self) -> None:
        try:
            gone = await make_room(self._client)
        except BusUnavailableError as error:
            log.warning("no room made", extra={"action": "retry", "cause": str(error)})
            return
        if gone:
            log.warning("handled messages removed", extra={"action": "make_room", "count": gone})
