"""Which lines are read: one for each namespace, side by side.

Every namespace has a line of its own in INBOX, so that one that hands in ten thousand
messages makes nobody else wait. All routers read all lines: those that were there when
the router started, and those of the tenants that come. A line outlives its tenant
until nothing is left in it, and is read for so long: who wrote in the last moment is told.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from sympozium.bus.ports import Bus, NoConsumerError
from sympozium.contract.errors import TransientError
from sympozium.contract.subjects import INBOX, inbox_consumer, namespace_of_line
from sympozium.runtime.loops import pause, until_there
from sympozium.store.ports import Unfinished
from sympozium_router.inbox.line import Hands, Line

log = logging.getLogger(__name__)

RETRY_S = 0.25
LOOK_EVERY_S = 10.0


class Served(Protocol):
    """The namespaces that are tenants."""

    def tenants(self) -> list[str]:
        """Return those that are tenants now."""

    def listen_to_tenants(self, listener: Callable[[str], None]) -> None:
        """Have *listener* called with each that comes or goes."""


class Lines:
    """Reads the lines of all namespaces."""

    def __init__(self, bus: Bus, store: Unfinished, served: Served) -> None:
        self._bus = bus
        self._store = store
        self._served = served
        self._lines: dict[str, tuple[Line, asyncio.Task[None]]] = {}
        self._first: set[str] | None = None

    @property
    def is_receiving(self) -> bool:
        """Whether what lay before us was read, and deliveries are taken, in the lines of the start.

        Whoever is stopped for us must know that we take what comes: while a controller of an
        earlier version leads, tenants have no lines, and only earlier routers take anything.
        """
        if self._first is None:
            return False
        return not any(self._lines[namespace][0].is_awaited for namespace in self._first)

    async def receive(self, hands: Hands) -> None:
        """Hand over what comes in any line, until cancelled.

        Raises:
            BusDeniedError: This router may not read them: it was admitted by a controller of
                an earlier version, and has to connect anew.
        """
        changed = asyncio.Event()
        self._served.listen_to_tenants(lambda _: changed.set())
        there = await until_there(self._there, retry_s=RETRY_S, told=_say_that_it_waits)
        async with asyncio.TaskGroup() as group:
            while True:
                changed.clear()
                for namespace in sorted({*there, *self._served.tenants()} - self._lines.keys()):
                    line = Line(self._bus, self._store, namespace)
                    self._lines[namespace] = line, group.create_task(line.receive(hands))
                if self._first is None:
                    there, self._first = [], set(self._lines)
                await self._leave_those_gone()
                await pause(LOOK_EVERY_S, changed)

    async def _there(self) -> list[str]:
        names = await self._bus.consumers(INBOX)
        return [namespace for name in names if (namespace := namespace_of_line(name))]

    async def _leave_those_gone(self) -> None:
        """Read no more where nothing is left and nobody is served."""
        for namespace in sorted(self._lines.keys() - set(self._served.tenants())):
            try:
                await self._bus.state(inbox_consumer(namespace))
            except NoConsumerError:
                _, reading = self._lines.pop(namespace)
                reading.cancel()
                self._first = (self._first or set()) - {namespace}
                log.info("line left", extra={"action": "leave", "namespace": namespace})
            except TransientError as error:
                _say_that_it_waits(error)


def _say_that_it_waits(error: TransientError) -> None:
    log.debug("lines not known yet", extra={"action": "retry", "cause": str(error)})
