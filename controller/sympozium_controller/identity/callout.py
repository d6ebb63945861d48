"""Answering nats-server's question who a connection is, and counting those kept out."""

import asyncio
import logging
from collections import Counter
from datetime import datetime

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from sympozium.bus.server import CALLOUT_SUBJECT
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium_controller.identity.directory import Admission, Directory
from sympozium_controller.identity.grants import grants_of
from sympozium_controller.identity.jwt import AuthRequest, Signer, read_request
from sympozium_controller.identity.reviews import Reviews
from sympozium_controller.identity.who import name_of
from sympozium_controller.measures import ADMISSIONS, Admitted

log = logging.getLogger(__name__)

CALLOUT_GROUP = "controller"
"""Queue group of controllers: one of them answers."""

ANSWER_TIMEOUT_S = 1.8
"""The connecting client gives up after 2 s."""

MAX_AT_ONCE = 128

MAX_CLIENT_CHARS = 64
"""Of the name that a connection gives itself."""


class Callout:
    """Admits connections to the bus, each with the grants of its row and no other.

    Attributes:
        refused: How many connections were kept out, by the kind of error.
    """

    def __init__(self, client: Client, signer: Signer, reviews: Reviews, directory: Directory):
        self._client = client
        self._signer = signer
        self._reviews = reviews
        self._directory = directory
        self.refused: Counter[str] = Counter()

    async def run(self, stop: asyncio.Event) -> None:
        """Answer until *stop* is set."""
        slots = asyncio.Semaphore(MAX_AT_ONCE)
        async with asyncio.TaskGroup() as group:

            async def begin(message: Msg) -> None:
                await slots.acquire()
                task = group.create_task(self._reply(message))
                task.add_done_callback(lambda _: slots.release())

            subscription = await self._client.subscribe(
                CALLOUT_SUBJECT, queue=CALLOUT_GROUP, cb=begin
            )
            await stop.wait()
            if not self._client.is_closed:
                await subscription.unsubscribe()

    async def answer(self, data: bytes) -> bytes:
        """Return the signed answer to one question of the server.

        Raises:
            PermanentError: It is no question of a server.
        """
        request, now = read_request(data), self._reviews.now()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                admission = await self._admission(request)
        except (PermanentError, TransientError, TimeoutError) as error:
            return self._refuse(request, error, now)
        if admission.until <= now:
            return self._refuse(request, PermanentError("cannot admit: the time is over"), now)
        name, grants = name_of(admission.identity), grants_of(admission.identity)
        ADMISSIONS.add(Admitted.GRANTED)
        log.debug("bus connection admitted", extra={"action": "admit", "identity": name})
        return self._signer.admit(request, name, grants, now=now, until=admission.until)

    async def _admission(self, request: AuthRequest) -> Admission:
        if not request.token:
            raise PermanentError("cannot admit to the bus: no token was presented")
        return await self._directory.admission(await self._reviews.bearer(request.token))

    def _refuse(self, request: AuthRequest, error: Exception, now: datetime) -> bytes:
        ADMISSIONS.add(Admitted.REFUSED)
        cause = type(error).__name__
        self.refused[cause] += 1
        count = self.refused[cause]
        is_news = count & (count - 1) == 0  # 1, 2, 4, 8, ...: who is refused tries again at once
        log.log(
            logging.WARNING if is_news else logging.DEBUG,
            "bus connection refused",
            extra={
                "action": "deny",
                "client": request.client_name[:MAX_CLIENT_CHARS],
                "cause": str(error) or cause,
                "refused": count,
            },
        )
        return self._signer.refuse(request, cause, now=now)

    async def _reply(self, message: Msg) -> None:
        try:
            answer = await self.answer(message.data)
            reach(Point.CONTROLLER_BEFORE_ADMIT)
            await message.respond(answer)
        except (PermanentError, nats.errors.Error) as error:
            log.warning("auth callout unanswered", extra={"action": "drop", "cause": str(error)})
