"""What programs need of a bus. The adapter for NATS keeps these promises."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from sympozium.contract.dead_letters import DeadLetter
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.subjects import Consumer


class BusUnavailableError(TransientError):
    """No confirmation within the deadline. The message may or may not be stored."""


class NoConsumerError(BusUnavailableError):
    """The durable consumer is not there, or not there yet."""


class BusFullError(TransientError):
    """The stream is full and refuses more, rather than drop what it holds."""


class BusDeniedError(PermanentError):
    """This program's identity may not do that."""


class NoAnswerError(TransientError):
    """Nobody answered a request: no responder, or not in time."""


@dataclass(frozen=True)
class Receipt:
    """The bus has the message on disk.

    Attributes:
        sequence: Its place in the stream.
        duplicate: A message of the same id was stored before; this one was dropped.
    """

    sequence: int
    duplicate: bool


@dataclass(frozen=True)
class Stored:
    """A message read from a stream without being delivered."""

    subject: str
    sequence: int
    data: bytes
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class ConsumerState:
    """How far a durable consumer has come in its stream.

    Attributes:
        acknowledged: Everything up to this sequence is settled for good, of what the
            consumer reads; it says nothing of other subjects.
        delivered: Everything up to this sequence was delivered once. What lies between
            the two may be settled, or in the hands of a program, or of one that died.
    """

    acknowledged: int
    delivered: int


class Delivery(Protocol):
    """One message in our hands. Settle it exactly once.

    Every method raises `BusUnavailableError` when the bus cannot be told; the
    message then comes again.
    """

    @property
    def subject(self) -> str:
        """Where it was published."""

    @property
    def data(self) -> bytes:
        """What was published."""

    @property
    def sequence(self) -> int:
        """Its place in the stream."""

    @property
    def attempt(self) -> int:
        """1 on the first delivery, one more on each redelivery."""

    @property
    def follows(self) -> bool:
        """Whether nothing was delivered to anybody since what was delivered to us before it.

        False where that is not known.
        """

    async def ack(self) -> None:
        """Done. The bus will not deliver this message again."""

    async def retry(self, *, after_s: float) -> None:
        """Not done. Deliver again no sooner than *after_s* seconds from now."""

    async def discard(self, *, reason: str, attempts: int = 0) -> None:
        """Never deliverable. Keep it in the dead letters with *reason*, for a person.

        Args:
            reason: For an operator; nothing of the message.
            attempts: How often it was tried, where that is more than `attempt`.

        Raises:
            BusUnavailableError: The dead letters cannot be reached; the message stays
                undelivered and comes back.
        """

    async def working(self) -> None:
        """Still at it: start the time to redelivery anew."""


class Bus(Protocol):
    """Durable messages."""

    async def publish(self, subject: str, data: bytes, *, message_id: str) -> Receipt:
        """Store a message. It is on disk when this returns.

        Publishing the same *message_id* again within 15 minutes stores nothing.

        Raises:
            BusUnavailableError: No confirmation within 2 s.
            BusFullError: The stream refuses.
            BusDeniedError: This identity may not publish there.
        """

    def consume(
        self, consumer: Consumer, *, batch: int = 256
    ) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        """Deliver the messages of a durable consumer, in order, until the block is left.

        The iterator outlives a bus that is away, and waits for a consumer that
        is not there yet. Deliveries left unsettled are delivered again.
        """

    async def state(self, consumer: Consumer) -> ConsumerState:
        """Return how far a durable consumer has come.

        Raises:
            NoConsumerError: It is not there, or not there yet.
            BusUnavailableError: No answer in time.
            BusDeniedError: This identity may not ask.
        """

    async def consumers(self, stream: str) -> list[str]:
        """Return the names of the durable consumers of a stream.

        Raises:
            BusUnavailableError: No answer in time.
            BusDeniedError: This identity may not ask.
        """

    async def last(self, stream: str, subject: str) -> Stored | None:
        """Return the newest stored message of *subject*, or None.

        Raises:
            BusUnavailableError: No answer in time.
        """

    async def at(self, stream: str, sequence: int) -> Stored | None:
        """Return the message at *sequence*, or None where it is gone.

        Raises:
            BusUnavailableError: No answer in time.
        """

    async def next(self, stream: str, subject: str, *, since: int) -> Stored | None:
        """Return the first stored message of *subject* at sequence *since* or later, or None.

        Raises:
            BusUnavailableError: No answer in time.
        """

    async def bury(self, letter: DeadLetter, data: bytes) -> None:
        """Keep a message among the dead letters. It is on disk when this returns.

        The same again within 15 minutes keeps nothing. Of what is too long for the bus
        together with what is said of it, the beginning is kept.

        Raises:
            BusUnavailableError: It is not known to be kept; bury it again.
        """

    async def unbury(self, sequence: int) -> None:
        """Remove a dead letter for good. That there is none at *sequence* is success.

        Raises:
            BusUnavailableError: No answer in time.
        """


Responder = Callable[[str, bytes], Awaitable[bytes]]
"""Answers a request, given its subject and data."""


class LiveBus(Protocol):
    """Messages that nobody stores."""

    async def send(self, subject: str, data: bytes) -> None:
        """Send to whoever listens now. Nobody listening, or no connection, is no error."""

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        """Return the answer of one responder.

        It is asked again each second, so what is asked for may be done twice.

        Raises:
            NoAnswerError: There is none in time.
        """

    def listen(self, subject: str) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, bytes]]]:
        """Deliver (subject, data) of what is sent while the block lasts.

        A listener that falls behind by more than 4096 messages loses the oldest, and
        what is sent while the connection is away is never heard; see `Gaps`.
        """

    def respond(
        self, subject: str, respond: Responder, *, group: str
    ) -> AbstractAsyncContextManager[None]:
        """Answer requests on *subject* while the block lasts; one of *group* gets each."""


class Gaps(Protocol):
    """Times in which nothing was heard."""

    def gaps(self) -> AbstractContextManager[asyncio.Event]:
        """Set the event whenever the connection was away and is back, while the block lasts.

        Whoever listens does so again by then. Clear it before asking what was missed.
        """
