"""Taking away the lines of namespaces that are no tenants any more, once nothing is in them."""

import asyncio
import logging

from sympozium.bus.lines import delete_empty_line, ensure_line, lines
from sympozium.bus.nats import NatsBus
from sympozium.contract.errors import TransientError
from sympozium.kube.tenants import Tenants
from sympozium.runtime.loops import pause

log = logging.getLogger(__name__)

LOOK_EVERY_S = 600.0


class LineSweep:
    """Looks again and again which lines nobody needs.

    A line stays for as long as INBOX holds anything of its namespace, two weeks at the
    most: whoever takes a label away by mistake, and puts it back, finds it as it was.
    """

    def __init__(self, bus: NatsBus, tenants: Tenants) -> None:
        self._bus = bus
        self._tenants = tenants

    async def run(self, stop: asyncio.Event) -> None:
        """Look now and every ten minutes until *stop* is set."""
        while not stop.is_set():
            try:
                await self.sweep()
            except TransientError as error:
                log.debug("lines not swept", extra={"action": "retry", "cause": str(error)})
            await pause(LOOK_EVERY_S, stop)

    async def sweep(self) -> None:
        """Delete the lines that nobody needs.

        Raises:
            TransientError: The bus or the API server is away; the rest stays until the next time.
        """
        client = self._bus.client
        for namespace in await lines(client):
            if await self._tenants.is_tenant(namespace):
                continue
            if not await delete_empty_line(client, namespace):
                continue
            log.info("line deleted", extra={"action": "delete", "namespace": namespace})
            if await self._tenants.is_tenant(namespace):  # its label came back just now
                await ensure_line(client, namespace)
