"""Taking away the Jobs of runs that ended a while ago, many in one request.

A Job's own time to live runs from when its pod ended, whether or not anybody has written down
how the run ended: what the pod would have told could be gone before. So a Job has none, and
goes when its run's end has been on record for a while.
"""

import asyncio
import logging
from collections import defaultdict

from sympozium.contract.errors import TransientError
from sympozium.contract.names import RunUid
from sympozium.contract.resources import JOBS, RUN_UID_LABEL
from sympozium.kube.client import Kube
from sympozium.runtime.loops import pause, until_any

log = logging.getLogger(__name__)

PAUSE_S = 60.0
"""How long Jobs that may go are gathered; what is asked for ten minutes may take eleven."""

MAX_AT_ONCE = 100
"""Jobs in one request: their uids stand in its address."""


class Sweep:
    """Gathers Jobs that may go, and has them go together."""

    def __init__(self, kube: Kube, *, pause_s: float = PAUSE_S) -> None:
        self._kube = kube
        self._pause_s = pause_s
        self._due: defaultdict[str, dict[RunUid, None]] = defaultdict(dict)
        self._has_some = asyncio.Event()

    def add(self, namespace: str, uid: RunUid) -> None:
        """Have the Job of a run go soon. Its end must be on record."""
        self._due[namespace][uid] = None
        self._has_some.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Delete what is gathered, until *stop* is set; nothing is asked while there is nothing."""
        while not stop.is_set():
            await until_any(self._has_some, stop)
            await pause(self._pause_s, stop)
            if not stop.is_set():
                self._has_some.clear()
                await self._delete_all()

    async def _delete_all(self) -> None:
        for namespace in list(self._due):
            uids = list(self._due.pop(namespace))
            for begin in range(0, len(uids), MAX_AT_ONCE):
                await self._delete(namespace, uids[begin : begin + MAX_AT_ONCE])

    async def _delete(self, namespace: str, uids: list[RunUid]) -> None:
        selector = f"{RUN_UID_LABEL} in ({','.join(uids)})"
        try:
            await self._kube.delete_all(JOBS, namespace, labelSelector=selector)
        except TransientError as error:
            log.warning("jobs stay", extra={"action": "retry", "cause": str(error)})
            for uid in uids:
                self.add(namespace, uid)
        else:
            log.info("jobs removed", extra={"action": "delete", "count": len(uids)})
