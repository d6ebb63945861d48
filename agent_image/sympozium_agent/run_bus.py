"""What the bridge knows of its run and needs of the bus."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from sympozium.bus.ports import Bus, Gaps, LiveBus
from sympozium.contract.errors import TransientError
from sympozium.contract.names import RunUid
from sympozium.contract.run_events import recorded_id

log = logging.getLogger(__name__)

MAX_PAUSE_S = 2.0


class RunBus(Bus, LiveBus, Gaps, Protocol):
    """What the bridge needs of the bus."""


@dataclass(frozen=True)
class RunIdentity:
    """Which run this is, in which pod."""

    namespace: str
    run_name: str
    run_uid: RunUid
    pod_uid: str

    def message_id(self, place: str) -> str:
        """Identify what was said at *place* of this pod's journal, for ever."""
        return recorded_id(self.run_uid, self.pod_uid, place)


async def until_it_works(do: Callable[[], Awaitable[object]]) -> None:
    """Do it again and again while it fails for a reason that may pass.

    The pod's end of grace is the deadline. Giving up earlier would lose what was said.
    """
    pause_s = 0.05
    while True:
        try:
            await do()
        except TransientError as error:
            log.warning("bus takes nothing yet", extra={"action": "retry", "cause": str(error)})
        else:
            return
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, MAX_PAUSE_S)
