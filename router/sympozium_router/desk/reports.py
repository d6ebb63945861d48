"""Passing on what a channel says of its platform: the condition `Connected` of its Channel."""

import logging
import re
from contextlib import AbstractAsyncContextManager

from sympozium.bus.ports import LiveBus
from sympozium.contract.channel import CONNECTED
from sympozium.contract.conditions import Condition
from sympozium.contract.desk import ReportAnswer, ReportRequest
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.subjects import ROUTER_GROUP, channel_of
from sympozium.contract.times import kube_time
from sympozium_router.clock import Clock
from sympozium_router.world.cluster import Cluster

log = logging.getLogger(__name__)

SUBJECTS = "report.*.*"
MAX_MESSAGE_CHARS = 1000

_REASON = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")


class Reports:
    """Writes conditions for channels, which hold no right at the API server."""

    def __init__(self, bus: LiveBus, cluster: Cluster, clock: Clock) -> None:
        self._bus = bus
        self._cluster = cluster
        self._clock = clock

    def responding(self) -> AbstractAsyncContextManager[None]:
        """Answer while the block lasts; of several routers one answers."""
        return self._bus.respond(SUBJECTS, self.answer, group=ROUTER_GROUP)

    async def answer(self, subject: str, data: bytes) -> bytes:
        """Return an encoded `ReportAnswer`."""
        try:
            await self._write(*channel_of(subject), decode(data, ReportRequest))
        except PermanentError as error:
            return encode(ReportAnswer(error=str(error)))
        except TransientError as error:
            log.warning("report not written yet", extra={"action": "retry", "cause": str(error)})
            return encode(ReportAnswer(error="the API server cannot be written now", retry=True))
        return encode(ReportAnswer())

    async def _write(self, namespace: str, channel: str, request: ReportRequest) -> None:
        if not _REASON.fullmatch(request.reason):
            raise PermanentError("cannot report: the reason must be one CamelCase word")
        condition = Condition(
            type=CONNECTED,
            status="True" if request.is_connected else "False",
            reason=request.reason,
            message=request.message[:MAX_MESSAGE_CHARS],
            last_transition_time=kube_time(self._clock()),
        )
        await self._cluster.set_condition(namespace, channel, condition)
        log.info(
            "channel reported",
            extra={"action": "report", "channel": channel, "reason": request.reason},
        )
