"""How the channel stands with its platform: said to the router, which keeps the condition.

It is said when it changes, until the router has heard it; what passes by itself
within seconds is not said.
"""

import asyncio
import logging
from dataclasses import dataclass

from sympozium.bus.cancelled import ended
from sympozium.chat.desk import Desk
from sympozium.chat.health import Health
from sympozium.contract.errors import PermanentError, TransientError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
SAID_AFTER_S = 20.0
"""A connection that comes back sooner was never away, as far as the condition tells."""

RETRY_S = 5.0


@dataclass(frozen=True)
class Stand:
    """What the condition `Connected` says."""

    is_connected: bool
    reason: str
    message: str = ""


CONNECTED = Stand(is_connected=True, reason="Connected")


class Standing:
    """Puts together what the inbound path and the outbound path know."""

    def __init__(self, desk: Desk, health: Health) -> None:
        self._desk = desk
        self._health = health
        self._refusal: Stand | None = None
        self._down_since: float | None = None
        self._changed = asyncio.Event()
        self._said: Stand | None = None

    def refused(self, reason: str, message: str) -> None:
        """The platform does not let us say something, and a person must act."""
        self._refusal = Stand(is_connected=False, reason=reason, message=message)
        self._changed.set()

    def taken(self) -> None:
        """The platform took something that people can see."""
        if self._refusal is not None:
            self._refusal = None
            self._changed.set()

    def now(self, now_s: float) -> Stand | None:
        """Return what is to be said; None: nothing is known, or it may yet pass."""
        if self._refusal is not None:
            return self._refusal
        reason, cause = self._health.inbound_problem
        if not cause:
            self._down_since = None
            return CONNECTED
        if self._down_since is None:
            self._down_since = now_s
        if now_s - self._down_since < SAID_AFTER_S:
            return None
        return Stand(is_connected=False, reason=reason, message=cause)

    async def say_loop(self, stop: asyncio.Event) -> None:
        """Tell the router of every change, until *stop* is set."""
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._tell())
            await stop.wait()
            await ended(telling)

    async def _tell(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            stand = self.now(loop.time())
            if stand is not None and stand != self._said:
                await self._say(stand)
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _say(self, stand: Stand) -> None:
        try:
            await self._desk.say(
                is_connected=stand.is_connected, reason=stand.reason, message=stand.message
            )
        except TransientError as error:
            log.debug("standing not told yet", extra={"action": "retry", "cause": str(error)})
            await asyncio.sleep(RETRY_S)
        except PermanentError as error:
            log.warning("standing not told", extra={"action": "drop", "cause": str(error)})
            self._said = stand
        else:
            self._said = stand
