"""Asking a router which messages still wait for their end.

The answer comes on a subject of its own kind. Who may answer into the controller's
inbox could put there what it takes for a run's ending.
"""

import secrets

import nats.errors
from nats.aio.client import Client

from sympozium.bus.cancelled import heed_cancellation
from sympozium.bus.ports import NoAnswerError
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import TransientError
from sympozium.contract.subjects import waiting, waiting_answer
from sympozium.contract.waiting import Asked, WaitingAnswer, WaitingRequest

TIMEOUT_S = 5.0


class Waiters:
    """Whoever waits, as a router says."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def among(self, namespace: str, messages: list[Asked]) -> set[Asked]:
        """Return those of *messages* that wait for their end.

        Raises:
            NoAnswerError: No router is there.
            TransientError: The router cannot say it now.
            PermanentError: What answered is no router of this version.
        """
        answer = await self._ask(namespace, WaitingRequest(messages=messages), TIMEOUT_S)
        return set(answer.waiting)

    async def is_anyone_at(
        self, namespace: str, channel: str, *, within_s: float = TIMEOUT_S
    ) -> bool:
        """Return whether a message of *channel* has no end in OUTBOX yet; raises as `among`."""
        request = WaitingRequest(messages=[], channels=[channel])
        answer = await self._ask(namespace, request, within_s)
        if answer.open_channels is None:
            raise TransientError("cannot ask who waits: the router is of an older version")
        return channel in answer.open_channels

    async def _ask(self, namespace: str, request: WaitingRequest, within_s: float) -> WaitingAnswer:
        data = await self._answer(waiting(namespace), encode(request), within_s)
        answer = decode(data, WaitingAnswer)
        if answer.error:
            raise TransientError(f"cannot ask who waits: {answer.error}")
        return answer

    async def _answer(self, subject: str, data: bytes, within_s: float) -> bytes:
        answer_to = waiting_answer(secrets.token_urlsafe())
        try:
            subscription = await self._client.subscribe(answer_to, max_msgs=1)
            try:
                await self._client.publish(subject, data, reply=answer_to)
                message = await subscription.next_msg(timeout=within_s)
            finally:
                if not self._client.is_closed:
                    await subscription.unsubscribe()
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise NoAnswerError(f"cannot ask who waits: {type(error).__name__}") from error
        heed_cancellation()
        if message.headers is not None:  # the bus answers itself where nobody listens
            raise NoAnswerError("cannot ask who waits: no router is there")
        return bytes(message.data)
