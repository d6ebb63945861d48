"""Who alone may poll: two programs that ask for updates take them away from each other.

The claim is kept by the router, is prolonged while polling, and is given up at the
end. A program that cannot prolong it stops polling before it expires, so there is
never a time in which two believe that it is theirs.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable

from sympozium.chat.desk import Desk
from sympozium.contract.errors import PermanentError, TransientError

CLAIM = "poller"
HELD_FOR_S = 3.0
"""How long a poller that was killed keeps the next one waiting, unless that is in the same pod."""

PROLONG_EVERY_S = 1.0
MARGIN_S = 0.5
"""So long before the claim expires polling ends."""

GIVE_UP_TIMEOUT_S = 1.0


class LeaseLostError(TransientError):
    """The claim could not be prolonged in time; somebody else may have it."""


class Lease:
    """The claim to be the poller, of a program in the pod *pod_name* (or "", in none)."""

    def __init__(self, desk: Desk, pod_name: str = "") -> None:
        self._desk = desk
        us = secrets.token_hex(4)
        self._holder = f"{pod_name or us}_{us}"
        self._ends_at = 0.0
        self._is_working = False

    async def take(self) -> bool:
        """Take or prolong the claim; return whether it is ours.

        Raises:
            TransientError: The router cannot be asked now.
        """
        asked_at = asyncio.get_running_loop().time()
        is_ours = await self._desk.claim(CLAIM, self._holder, for_s=HELD_FOR_S)
        self._ends_at = asked_at + HELD_FOR_S if is_ours else 0.0
        return is_ours

    async def while_held(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do *work* while the claim, which was taken, is prolonged; then give it up.

        Raises:
            LeaseLostError: The claim was lost, and *work* was cancelled in time.
        """
        deadline = asyncio.timeout_at(self._ends_at - MARGIN_S)
        try:
            async with deadline, asyncio.TaskGroup() as group:
                self._is_working = True
                keeping = group.create_task(self._keep(deadline))
                try:
                    await work()
                finally:
                    self._is_working = False  # a cancellation can be swallowed, this cannot
                    keeping.cancel()
        except TimeoutError:
            if not deadline.expired():
                raise
            raise LeaseLostError("cannot prolong the claim to poll in time") from None
        finally:
            await self._give_up()

    async def _keep(self, deadline: asyncio.Timeout) -> None:
        while self._is_working:
            await asyncio.sleep(PROLONG_EVERY_S)
            try:
                await self.take()
            except TransientError:
                continue
            if deadline.expired() or not self._is_working:
                return
            deadline.reschedule(self._ends_at - MARGIN_S)

    async def _give_up(self) -> None:
        try:
            async with asyncio.timeout(GIVE_UP_TIMEOUT_S):
                await self._desk.claim(CLAIM, self._holder, for_s=0)
        except (TransientError, PermanentError, TimeoutError):
            return  # it ends by itself
