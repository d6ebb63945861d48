"""Runs at work of which the message has ended already: nobody waits for what they do.

A message may be stopped between the decision to make its run and the making of it. Whoever
makes the run looks afterwards, and tells it to end; if it died in between, this does.
"""

import asyncio
import logging

from sympozium.contract.errors import TransientError
from sympozium.contract.names import MessageId, RunName
from sympozium.contract.resources import Object
from sympozium.runtime.loops import pause
from sympozium.store.ports import MessageKey, SessionStore
from sympozium_router.world.cluster import Cluster
from sympozium_router.world.held import is_terminal

log = logging.getLogger(__name__)

LOOK_EVERY_S = 10.0
"""Where nothing is at work, nobody is asked anything."""


class Orphans:
    """Tells runs to end that nobody waits for."""

    def __init__(self, store: SessionStore, cluster: Cluster) -> None:
        self._store = store
        self._cluster = cluster

    async def run(self, stop: asyncio.Event) -> None:
        """Look now and then until *stop* is set. The copies of the runs must be complete."""
        while not stop.is_set():
            try:
                await self._look()
            except TransientError as error:
                cause = {"action": "retry", "cause": str(error)}
                log.debug("cannot look for runs that nobody waits for", extra=cause)
            await pause(LOOK_EVERY_S, stop)

    async def _look(self) -> None:
        at_work = {_key_of(run): run for run in self._cluster.runs() if _is_at_work(run)}
        waited_for = await self._store.unpublished(list(at_work)) if at_work else set()
        for key in at_work.keys() - waited_for:
            message = await self._store.known(key)
            if message is not None and message.end is not None:
                await self._end(at_work[key])

    async def _end(self, run: Object) -> None:
        metadata = run["metadata"]
        await self._cluster.cancel_run(metadata["namespace"], RunName(metadata["name"]))
        extra = {"action": "cancel", "run": metadata["name"]}
        log.info("run ended that nobody waits for", extra=extra)


def _is_at_work(run: Object) -> bool:
    is_asked = bool((run["spec"].get("source") or {}).get("messageId"))
    return is_asked and not is_terminal(run) and not run["spec"].get("cancel")


def _key_of(run: Object) -> MessageKey:
    source = run["spec"]["source"]
    namespace = run["metadata"]["namespace"]
    return MessageKey(namespace, source.get("channel", ""), MessageId(source["messageId"]))
