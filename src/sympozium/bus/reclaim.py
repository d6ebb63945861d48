"""Having what a dead predecessor held delivered again at once.

The bus does not know that a program was killed: what it held comes again when the
time to redelivery is over, half a minute later, and people wait for it. The only
reader of a consumer may hand all of it back in its predecessor's name. What was
settled stays so: the bus heeds only what is pending.
"""

import logging

import nats.errors
from nats.aio.client import Client

from sympozium.bus.cancelled import heed_cancellation
from sympozium.contract.subjects import Consumer

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_S = 2.0

MAX_HANDED_BACK = 10_000
"""Newest sequences that are handed back; the stream is shared, so most may be of others."""

_NOT_DONE = b"-NAK"
"""Source: https://docs.nats.io/using-nats/developer/develop_jetstream/consumers (acknowledging)"""


async def reclaim(client: Client, consumer: Consumer) -> None:
    """Hand back what is delivered and not settled. Only the one reader of *consumer* may.

    Where the bus does not answer in time, or the consumer is not there yet, nothing is
    handed back: what there is comes again when its time is over.
    """
    try:
        await _hand_back(client, consumer)
    except (nats.errors.Error, TimeoutError, OSError) as error:
        log.debug("nothing taken over", extra={"action": "skip", "cause": type(error).__name__})
    heed_cancellation()


async def _hand_back(client: Client, consumer: Consumer) -> None:
    info = await client.jetstream(timeout=REQUEST_TIMEOUT_S).consumer_info(
        consumer.stream, consumer.name
    )
    floor, delivered = info.ack_floor, info.delivered
    if not info.num_ack_pending or floor is None or delivered is None:
        return
    newest = delivered.stream_seq
    oldest = max(floor.stream_seq + 1, newest - MAX_HANDED_BACK + 1)
    answer_to = f"$JS.ACK.{consumer.stream}.{consumer.name}.1"
    for sequence in range(oldest, newest + 1):
        # Of the sequence in the consumer it matters only that it was given out.
        subject = f"{answer_to}.{sequence}.{delivered.consumer_seq}.0.0"
        await client.publish(subject, _NOT_DONE)
    await client.flush(timeout=int(REQUEST_TIMEOUT_S))
