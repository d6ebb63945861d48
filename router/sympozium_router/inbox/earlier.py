"""Keeping up the line of all namespaces, in which routers of the version before read.

While an upgrade rolls, they read it beside us, and after a rollback they read it alone.
So where it stands must be true: what is settled in the line of its namespace is settled
there too, and nothing else. Without this module a rollback would have everything
delivered once more that came since the upgrade.

Nothing is handled here. Who installs this version anew has no such line.
"""

import asyncio
import logging
from collections.abc import Callable

from sympozium.bus.ports import Bus, Delivery, NoConsumerError
from sympozium.contract.errors import TransientError
from sympozium.contract.subjects import EARLIER_INBOX_CONSUMER, inbox_consumer
from sympozium.runtime.loops import until_there

log = logging.getLogger(__name__)

SETTLE_EVERY_S = 1.0

NOT_OURS_S = 10.0
"""For how long we do not ask for what is in no line that we read; an earlier router may."""


class EarlierLine:
    """Settles there what is settled in the lines of namespaces.

    Args:
        is_ours: Whether we read those lines. Before, earlier routers need all of it.
    """

    def __init__(self, bus: Bus, is_ours: Callable[[], bool]) -> None:
        self._bus = bus
        self._is_ours = is_ours
        self._held: dict[int, Delivery] = {}

    async def follow(self) -> None:
        """Keep it up, until cancelled; return where there is none."""
        while not self._is_ours():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(SETTLE_EVERY_S)
        if not await until_there(self._is_there, retry_s=SETTLE_EVERY_S, told=_say_that_it_waits):
            return
        async with (
            self._bus.consume(EARLIER_INBOX_CONSUMER) as deliveries,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(self._settle_all())
            async for delivery in deliveries:
                self._held[delivery.sequence] = delivery

    async def _is_there(self) -> bool:
        try:
            await self._bus.state(EARLIER_INBOX_CONSUMER)
        except NoConsumerError:
            return False
        return True

    async def _settle_all(self) -> None:
        while True:
            await asyncio.sleep(SETTLE_EVERY_S)
            try:
                await self._settle()
            except TransientError as error:
                _say_that_it_waits(error)

    async def _settle(self) -> None:
        """Settle what is settled in the line of its namespace by now.

        Raises:
            TransientError: The bus is away. Nothing is lost by that.
        """
        floors: dict[str, int | None] = {}
        for sequence, delivery in sorted(self._held.items()):
            namespace = delivery.subject.split(".")[1]
            if namespace not in floors:
                floors[namespace] = await self._settled_up_to(namespace)
            settled = floors[namespace]
            if settled is None:
                await delivery.retry(after_s=NOT_OURS_S)
            elif sequence <= settled:
                await delivery.ack()
            else:
                continue
            del self._held[sequence]

    async def _settled_up_to(self, namespace: str) -> int | None:
        """Return up to where a namespace's messages are settled; None: it has no line."""
        try:
            return (await self._bus.state(inbox_consumer(namespace))).acknowledged
        except NoConsumerError:
            return None


def _say_that_it_waits(error: TransientError) -> None:
    extra = {"action": "retry", "cause": str(error)}
    log.debug("the line of all namespaces is not kept up now", extra=extra)
