"""The bus over NATS JetStream."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.client import JetStreamContext

from sympozium.bus import graves
from sympozium.bus.asking import ASK_AGAIN_AFTER_S, first_answer
from sympozium.bus.cancelled import heed_cancellation
from sympozium.bus.denials import is_denied, told_apart
from sympozium.bus.failures import asked_to
from sympozium.bus.ports import (
    BusDeniedError,
    BusFullError,
    BusUnavailableError,
    ConsumerState,
    Delivery,
    Receipt,
    Responder,
    Stored,
)
from sympozium.bus.pull import pull
from sympozium.bus.renewing import RenewingClient
from sympozium.bus.states import consumer_names, read_state
from sympozium.contract.dead_letters import DeadLetter
from sympozium.contract.errors import PermanentError
from sympozium.contract.subjects import Consumer

log = logging.getLogger(__name__)

PUBLISH_TIMEOUT_S = 2.0
"""A platform that waits 3 s for our answer must be told in time that it was not stored."""

RECONNECT_WAIT_S = 0.25
CONNECT_TIMEOUT_S = 2.0
CLOSE_TIMEOUT_S = 1.0
PING_EVERY_S = 5
"""A connection that leads nowhere is noticed after two pings without an answer, so in 15 s."""

FIRST_ATTEMPT_S = 0.25
"""How long the first attempt to connect may take; each later one takes twice as long.

A server asked before the controller is there to admit anybody does not answer for
seconds, and programs start side by side.
"""
LISTENER_BACKLOG = 4096

MAX_ANSWERS_AT_ONCE = 64
"""Requests that one responder works on side by side; a slow one must not hold the others."""

ANSWER_TIMEOUT_S = 25.0
"""Longer than anyone waits for an answer; an answer that takes longer is given up."""

MAX_DENIALS = 100
"""What the server has refused us is remembered for so many subjects, those of late."""

_MAX_BYTES_EXCEEDED = 10077
"""JetStream error code. Source: server/errors.json of nats-server (JSStreamStoreFailedF)."""


_INBOXES = "_INBOX."
"""Begins every subject on which answers are waited for. An asker may name any other."""

_BAD_ADDRESS = "invalid connect url"
"""What the client library says of an address that it cannot read."""


@dataclass(frozen=True)
class Address:
    """Where the bus is, and how to say who one is.

    Attributes:
        url: Of one server, or of several of one cluster, separated by commas.
        token: Read anew at every connection, because a projected token rotates.
        inbox_prefix: Where answers to this identity go; its grants name no other.
        reconnect_wait_s: Pause between attempts. Who admits the others is there first.
        confirm_within_s: How long the bus may take to store a message, or to find one.
    """

    url: str
    name: str
    inbox_prefix: str
    token: Callable[[], str] | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    reconnect_wait_s: float = RECONNECT_WAIT_S
    confirm_within_s: float = PUBLISH_TIMEOUT_S


def token_in(file: Path | None) -> Callable[[], str] | None:
    """Return what reads the credential in *file* anew each time; None: none is presented.

    A projected token rotates under its name.
    """
    return None if file is None else lambda: file.read_text(encoding="ascii").strip()


class NatsBus:
    """Durable and live messages over one connection. Made by `connect`."""

    def __init__(self, client: Client, confirm_within_s: float) -> None:
        self._client = client
        self._confirm_within_s = confirm_within_s
        self._stream: JetStreamContext = client.jetstream(timeout=confirm_within_s)
        self._denied: deque[str] = deque(maxlen=MAX_DENIALS)
        self._reconnects: set[Callable[[], Awaitable[None]]] = set()
        self._closed = asyncio.Event()

    @property
    def client(self) -> Client:
        """The connection itself, for what only the bus' own administration needs."""
        return self._client

    @property
    def is_connected(self) -> bool:
        """Whether the connection stands now."""
        return self._client.is_connected

    async def publish(self, subject: str, data: bytes, *, message_id: str) -> Receipt:
        """Store a message; see `Bus.publish`."""
        headers = {"Nats-Msg-Id": message_id}
        try:
            ack = await self._stream.publish(
                subject, data, timeout=self._confirm_within_s, headers=headers
            )
        except nats.js.errors.APIError as error:
            if error.err_code == _MAX_BYTES_EXCEEDED:
                raise BusFullError(f"cannot publish to {subject!r}: the stream is full") from error
            raise BusUnavailableError(f"cannot publish to {subject!r}: {error}") from error
        except nats.errors.MaxPayloadError as error:
            raise PermanentError(
                f"cannot publish to {subject!r}: {len(data)} bytes are more than the bus takes"
            ) from error
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise self._unavailable(subject, error) from error
        heed_cancellation()
        return Receipt(ack.seq, bool(ack.duplicate))

    def consume(
        self, consumer: Consumer, *, batch: int = 256
    ) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        """Deliver a durable consumer's messages; see `Bus.consume`."""
        return pull(self._client, consumer, batch, self.bury, self._reconnects)

    async def state(self, consumer: Consumer) -> ConsumerState:
        """Return how far a durable consumer has come; see `Bus.state`."""
        asked = f"$JS.API.CONSUMER.INFO.{consumer.stream}.{consumer.name}"
        with told_apart(self._denied, asked):
            return await read_state(self._stream, consumer)

    async def consumers(self, stream: str) -> list[str]:
        """Return the names of a stream's durable consumers; see `Bus.consumers`."""
        with told_apart(self._denied, f"$JS.API.CONSUMER.NAMES.{stream}"):
            return await consumer_names(self._client, stream, self._confirm_within_s)

    async def last(self, stream: str, subject: str) -> Stored | None:
        """Return the newest stored message of *subject*; see `Bus.last`."""
        return await self._stored(stream, subject=subject)

    async def at(self, stream: str, sequence: int) -> Stored | None:
        """Return the message at *sequence*; see `Bus.at`."""
        return await self._stored(stream, seq=sequence)

    async def next(self, stream: str, subject: str, *, since: int) -> Stored | None:
        """Return the first message of *subject* at or after a sequence; see `Bus.next`."""
        return await self._stored(stream, subject=subject, seq=since, next=True)

    async def bury(self, letter: DeadLetter, data: bytes) -> None:
        """Keep a dead letter; see `Bus.bury`."""
        await graves.bury(self._client, self._stream, letter, data)

    async def unbury(self, sequence: int) -> None:
        """Remove a dead letter; see `Bus.unbury`."""
        await graves.unbury(self._stream, sequence)

    async def send(self, subject: str, data: bytes) -> None:
        """Send to whoever listens now; see `LiveBus.send`."""
        if not self._client.is_connected:
            return
        try:
            await self._client.publish(subject, data)
        except nats.errors.Error as error:
            log.debug("live message dropped", extra={"action": "drop", "cause": str(error)})
        heed_cancellation()

    async def request(
        self,
        subject: str,
        data: bytes,
        *,
        timeout_s: float,
        again_after_s: float = ASK_AGAIN_AFTER_S,
    ) -> bytes:
        """Return the answer of one responder; see `LiveBus.request`."""
        answer = await first_answer(
            self._client, subject, data, timeout_s=timeout_s, again_after_s=again_after_s
        )
        heed_cancellation()
        return answer

    @asynccontextmanager
    async def listen(self, subject: str) -> AsyncIterator[AsyncIterator[tuple[str, bytes]]]:
        """Deliver what is sent while the block lasts; see `LiveBus.listen`."""
        subscription = await self._client.subscribe(subject, pending_msgs_limit=LISTENER_BACKLOG)
        try:
            yield ((message.subject, message.data) async for message in subscription.messages)
        finally:
            if not self._client.is_closed:
                await subscription.unsubscribe()

    @contextmanager
    def gaps(self) -> Iterator[asyncio.Event]:
        """Tell of times without a connection while the block lasts; see `Gaps.gaps`."""
        gap = asyncio.Event()

        async def note() -> None:
            gap.set()

        self._reconnects.add(note)
        try:
            yield gap
        finally:
            self._reconnects.discard(note)

    @asynccontextmanager
    async def respond(self, subject: str, respond: Responder, *, group: str) -> AsyncIterator[None]:
        """Answer requests while the block lasts; see `LiveBus.respond`."""
        slots = asyncio.Semaphore(MAX_ANSWERS_AT_ONCE)
        async with asyncio.TaskGroup() as tasks:

            async def begin(message: Msg) -> None:
                await slots.acquire()
                task = tasks.create_task(_answer(message, respond))
                task.add_done_callback(lambda _: slots.release())

            subscription = await self._client.subscribe(subject, queue=group, cb=begin)
            try:
                yield
            finally:
                if not self._client.is_closed:
                    await subscription.unsubscribe()

    async def stay_connected(self, stop: asyncio.Event) -> None:
        """Return when *stop* is set.

        A loop for `run_until_stopped`: the program must not live on without a bus.

        Raises:
            BusUnavailableError: The connection was closed for good; start anew.
        """
        async with asyncio.TaskGroup() as group:
            waiting = {group.create_task(event.wait()) for event in (stop, self._closed)}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
        if not stop.is_set():
            raise BusUnavailableError("cannot use the bus: the connection was closed for good")

    async def _stored(
        self,
        stream: str,
        *,
        subject: str | None = None,
        seq: int | None = None,
        next: bool = False,
    ) -> Stored | None:
        with asked_to(f"read stream {stream}"):
            try:
                found = await self._stream.get_msg(
                    stream, seq=seq, subject=subject, direct=True, next=next
                )
            except nats.js.errors.NotFoundError:
                return None
        headers = found.headers or {}
        return Stored(found.subject or "", found.seq or 0, found.data or b"", headers)

    async def _on_closed(self) -> None:
        self._closed.set()

    async def _on_reconnect(self) -> None:
        for again in list(self._reconnects):
            await again()

    async def _on_error(self, error: Exception) -> None:
        text = str(error)
        if "permissions violation" in text.lower():
            if text.lower() not in self._denied:
                self._denied.append(text.lower())
            log.error("bus denied a subject", extra={"action": "deny", "cause": text})
        else:
            log.debug("bus connection", extra={"action": "retry", "cause": text})

    def _unavailable(self, subject: str, error: Exception) -> Exception:
        if is_denied(self._denied, subject):
            return BusDeniedError(f"cannot publish to {subject!r}: this identity may not")
        return BusUnavailableError(f"cannot publish to {subject!r}: {type(error).__name__}")


async def _answer(message: Msg, respond: Responder) -> None:
    if not message.reply.startswith(_INBOXES):  # or we would say what the asker may not say
        log.warning("answer refused", extra={"action": "deny", "subject": message.subject})
        return
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await message.respond(await respond(message.subject, message.data))
    except (nats.errors.Error, TimeoutError) as error:
        log.debug("answer dropped", extra={"action": "drop", "cause": type(error).__name__})
    except Exception:
        log.exception("responder bug", extra={"action": "drop", "subject": message.subject})


@asynccontextmanager
async def connect(address: Address, *, patience_s: float = 60.0) -> AsyncIterator[NatsBus]:
    """Yield a connection to the bus; it reconnects by itself and is closed at the end.

    Raises:
        BusUnavailableError: No server accepted this identity within *patience_s*.
        PermanentError: The address is none.
    """
    bus = await _connected(address, patience_s)
    try:
        yield bus
    finally:
        await _close(bus.client)


async def _connected(address: Address, patience_s: float) -> NatsBus:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    attempt_s = FIRST_ATTEMPT_S
    while True:
        client = RenewingClient()
        bus = NatsBus(client, address.confirm_within_s)
        attempt_ends = min(deadline, loop.time() + attempt_s)
        attempt_s = min(2 * attempt_s, 2 * CONNECT_TIMEOUT_S)
        try:
            async with asyncio.timeout_at(attempt_ends):  # the client would try for ever
                await _open(client, bus, address)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            if _BAD_ADDRESS in str(error):  # and nothing was opened that could be closed
                raise PermanentError(
                    f"cannot connect to the bus at {address.url!r}: that is no address; "
                    "write it like nats://host:4222, several with commas between"
                ) from error
            await _close(client)
            if loop.time() > deadline:
                raise BusUnavailableError(
                    f"cannot connect to the bus at {address.url!r} as {address.name!r}: "
                    f"{type(error).__name__}; is nats-server up, and is the controller, which "
                    "admits programs to it?"
                ) from error
            await asyncio.sleep(RECONNECT_WAIT_S)
        else:
            return bus


async def _close(client: Client) -> None:
    """Close a connection, and let go of one that does not: the other side may not read."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await client.close()
    except TimeoutError:
        log.warning("bus connection did not close in time", extra={"action": "drop"})
    except OSError as error:  # the other side closed it first
        log.debug("bus connection was closed", extra={"action": "drop", "cause": str(error)})


async def _open(client: Client, bus: NatsBus, address: Address) -> None:
    await client.connect(
        address.url.split(","),
        name=address.name,
        error_cb=bus._on_error,
        reconnected_cb=bus._on_reconnect,
        closed_cb=bus._on_closed,
        inbox_prefix=address.inbox_prefix,
        token=address.token,
        user=address.user or None,
        password=address.password or None,
        connect_timeout=int(CONNECT_TIMEOUT_S),
        reconnect_time_wait=address.reconnect_wait_s,  # type: ignore[arg-type] # a float works
        max_reconnect_attempts=-1,
        ping_interval=PING_EVERY_S,
        max_outstanding_pings=2,
    )
