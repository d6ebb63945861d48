"""Calling the platform: waiting for a turn, trying again, leaving out what has no room.

What must be seen is insisted upon, for as long as the platform may come back; what
is nice to see is offered once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import Enum
from typing import TypeVar

from sympozium.chat.capabilities import Capabilities
from sympozium.chat.desk import Desk
from sympozium.chat.errors import (
    AccountRefusedError,
    ChatClosedError,
    MarkupRefusedError,
    PlatformBusyError,
    PostGoneError,
    ThreadGoneError,
)
from sympozium.chat.metrics import Counted, Metrics
from sympozium.chat.outbox.breaker import Breaker
from sympozium.chat.outbox.budget import Budget, Turn, Urgency
from sympozium.chat.outbox.penalties import Penalties
from sympozium.chat.outbox.reactions import Outcome
from sympozium.chat.outbox.standing import Standing
from sympozium.chat.platform import Platform, Target
from sympozium.contract.errors import PermanentError, TransientError

log = logging.getLogger(__name__)

T = TypeVar("T")
Attempt = Callable[[bool], Awaitable[T]]
"""One call of the platform; it is told whether it may have been made before."""

CALL_TIMEOUT_S = 300.0
"""An adapter has a shorter timeout of its own; a call without end would hold its conversation."""

FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 30.0
MAX_SWITCHED_OFF = 4096
SWITCHED_OFF_FOR_S = 3600.0
"""A right that is given to the bot later is noticed without a restart."""


class Cosmetic(Enum):
    """What is offered, and may be switched off for a chat that does not have it."""

    GROW = "grow"
    SIGNAL = "signal"
    MARK = "mark"


class Voice:
    """A platform within its budget."""

    def __init__(
        self, platform: Platform, desk: Desk, standing: Standing, metrics: Metrics
    ) -> None:
        self.platform = platform
        self.budget = Budget(platform.capabilities.per_chat, platform.capabilities.overall)
        self.penalties = Penalties(desk, self.budget)
        self._standing = standing
        self._metrics = metrics
        self._breaker = Breaker()
        self._switched_off: dict[tuple[str, Cosmetic], float] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What the platform can do."""
        return self.platform.capabilities

    async def insist(
        self,
        target: Target,
        attempt: Attempt[T],
        *,
        until: datetime,
        again: bool = False,
        urgency: Urgency = Urgency.END,
    ) -> T:
        """Make a call until the platform has answered it for good, and return its answer.

        Args:
            target: Whose chat it is made in.
            attempt: The call.
            until: When to give up on a platform that is away.
            again: The call may have been made before this program began.
            urgency: Before whom it goes.

        Raises:
            AccountRefusedError: It has been reported.
            PermanentError: What the platform says, or that it was away until *until*.
        """
        delay_s = FIRST_DELAY_S
        while True:
            try:
                return await self._attempt(target, attempt, again, urgency)
            except PlatformBusyError as error:
                cause: TransientError = error  # the budget waits for as long as it asks
            except TransientError as error:
                cause, again = error, True
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, LONGEST_DELAY_S)
            log.debug("platform call not done yet", extra={"action": "retry", "cause": str(cause)})
            if datetime.now(UTC) > until:
                raise PermanentError(
                    f"cannot show a message: the platform was away for too long: {cause}"
                ) from cause

    async def offer(
        self, target: Target, cosmetic: Cosmetic, attempt: Callable[[], Awaitable[None]]
    ) -> Outcome:
        """Make a call once, where there is room for it now, and say what came of it."""
        chat = self.platform.chat_of(target)
        if asyncio.get_running_loop().time() < self._switched_off.get((chat, cosmetic), 0.0):
            return Outcome.OFF
        turn = None if self._breaker.is_open else self.budget.spare(chat)
        if turn is None:
            self._metrics.add(Counted.COSMETICS_SHED)
            return Outcome.SHED
        try:
            await self._counted(chat, turn, attempt)
        except PlatformBusyError:
            return Outcome.SHED
        except TransientError:
            return Outcome.LOST
        except (PostGoneError, ThreadGoneError):
            return Outcome.GONE
        except MarkupRefusedError:
            return Outcome.SHED
        except PermanentError as error:
            self._switch_off(chat, cosmetic, error)
            return Outcome.OFF
        return Outcome.SHOWN

    async def _attempt(
        self, target: Target, attempt: Attempt[T], again: bool, urgency: Urgency
    ) -> T:
        is_try = await self._breaker.passage()
        try:
            chat = self.platform.chat_of(target)
            turn = await self.budget.turn(chat, urgency)
            answer = await self._counted(chat, turn, lambda: attempt(again))
        except AccountRefusedError as error:
            self._breaker.refused()
            self._standing.refused(error.reason, str(error))
            raise
        except ChatClosedError:
            self._breaker.accepted()
            raise
        finally:
            if is_try:
                self._breaker.given_up()
        self._breaker.accepted()
        self._standing.taken()
        return answer

    async def _counted(self, chat: str, turn: Turn, call: Callable[[], Awaitable[T]]) -> T:
        self._metrics.add(Counted.CALLS)
        try:
            with turn:
                return await _in_time(call)
        except PlatformBusyError as error:
            self._metrics.add(Counted.CALLS_REFUSED_BUSY)
            self.penalties.note(chat, error)
            raise
        except (TransientError, PermanentError):
            self._metrics.add(Counted.CALLS_FAILED)
            raise

    def _switch_off(self, chat: str, cosmetic: Cosmetic, error: PermanentError) -> None:
        until = asyncio.get_running_loop().time() + SWITCHED_OFF_FOR_S
        self._switched_off[chat, cosmetic] = until
        while len(self._switched_off) > MAX_SWITCHED_OFF:
            del self._switched_off[next(iter(self._switched_off))]
        log.info(
            "cosmetic switched off for a chat",
            extra={"action": "drop", "kind": cosmetic.value, "cause": str(error)},
        )


async def _in_time(call: Callable[[], Awaitable[T]]) -> T:
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return await call()
    except TimeoutError as error:
        raise TransientError("cannot call the platform: it did not answer in time") from error
