"""Creating the streams and durable consumers. Only the controller may; it runs this at start."""

import asyncio
import contextlib
import logging

from nats.aio.client import Client
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from sympozium.bus.failures import asked_to
from sympozium.bus.ports import BusUnavailableError
from sympozium.bus.states import consumer_names
from sympozium.contract.limits import DUPLICATE_WINDOW, STREAM_MAX_AGE
from sympozium.contract.subjects import (
    CHANNEL_CONSUMER_PREFIX,
    OUTBOX,
    RUNS_CONSUMER,
    STREAMS,
    Consumer,
    Stream,
)

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_S = 1.0
"""A bus that is just coming back may never answer; a program that stops waits no longer for it."""

PATIENCE_S = 60.0
"""Servers that form a cluster take seconds to agree on who administers it."""

RETRY_S = 0.5


async def ensure_bus(client: Client, *, replicas: int = 1, patience_s: float = PATIENCE_S) -> None:
    """Make be as declared what belongs to no channel and to no namespace.

    Doing it again changes nothing; a changed declaration is carried out.

    Raises:
        BusUnavailableError: The servers did not carry it out within *patience_s*.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    while True:
        try:
            await _ensure_all(client, replicas)
        except BusUnavailableError as error:
            if loop.time() > deadline:
                raise BusUnavailableError(
                    f"cannot make the streams be as declared, {replicas} times each: {error}; "
                    "are there that many servers, with room on their disks?"
                ) from error
            log.warning("streams not made yet", extra={"action": "retry", "cause": str(error)})
            await asyncio.sleep(RETRY_S)
        else:
            return


async def _ensure_all(client: Client, replicas: int) -> None:
    for stream in STREAMS:
        await _ensure_stream(client, stream, replicas)
    await ensure_consumer(client, RUNS_CONSUMER)


async def ensure_consumer(client: Client, consumer: Consumer) -> None:
    """Make a durable consumer be as declared. It starts with the oldest message there is.

    Raises:
        BusUnavailableError: The bus does not answer, or refuses.
    """
    with asked_to(f"make consumer {consumer.name}"):
        await client.jetstream().add_consumer(consumer.stream, config_of(consumer))


def config_of(consumer: Consumer) -> ConsumerConfig:
    """Return how the server is told of a consumer."""
    return ConsumerConfig(
        durable_name=consumer.name,
        filter_subject=consumer.subject,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=consumer.ack_wait_s,
        max_ack_pending=consumer.max_ack_pending,
        max_deliver=-1,  # giving up is decided, and told, where the delivery is settled
    )


async def delete_consumer(client: Client, consumer: Consumer) -> None:
    """Delete a durable consumer whose channel is gone; that there is none is success.

    What it has settled goes before: one of the same name, of a channel that is made anew,
    begins with the oldest message that there is.

    Raises:
        BusUnavailableError: The bus does not answer, or refuses.
    """
    jetstream = client.jetstream(timeout=REQUEST_TIMEOUT_S)
    with asked_to(f"delete consumer {consumer.name}"), contextlib.suppress(NotFoundError):
        info = await jetstream.consumer_info(consumer.stream, consumer.name)
        settled = info.ack_floor.stream_seq if info.ack_floor else 0
        if settled:
            subject = info.config.filter_subject
            await jetstream.purge_stream(consumer.stream, seq=settled + 1, subject=subject)
        await jetstream.delete_consumer(consumer.stream, consumer.name)


async def is_behind(client: Client, consumer: Consumer) -> bool:
    """Return whether *consumer* has messages that nobody took, or that nobody settled.

    One that is not there has none.

    Raises:
        BusUnavailableError: The bus does not answer, or refuses.
    """
    jetstream = client.jetstream(timeout=REQUEST_TIMEOUT_S)
    with asked_to(f"read consumer {consumer.name}"):
        try:
            info = await jetstream.consumer_info(consumer.stream, consumer.name)
        except NotFoundError:
            return False
    return bool(info.num_pending or info.num_ack_pending)


async def channel_consumers(client: Client) -> list[str]:
    """Return the names of the consumers from which channels read their OUTBOX.

    Raises:
        BusUnavailableError: The bus does not answer, or refuses.
    """
    names = await consumer_names(client, OUTBOX, REQUEST_TIMEOUT_S)
    return [name for name in names if name.startswith(CHANNEL_CONSUMER_PREFIX)]


async def _ensure_stream(client: Client, stream: Stream, replicas: int) -> None:
    manager = client.jetstream()
    config = StreamConfig(
        name=stream.name,
        subjects=list(stream.subjects),
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW if stream.refuses_when_full else DiscardPolicy.OLD,
        max_bytes=stream.max_bytes,
        max_age=STREAM_MAX_AGE.total_seconds(),
        duplicate_window=DUPLICATE_WINDOW.total_seconds(),
        num_replicas=replicas,
        allow_direct=True,
    )
    with asked_to(f"make stream {stream.name}"):
        try:
            await manager.update_stream(config)
        except NotFoundError:
            await manager.add_stream(config)
