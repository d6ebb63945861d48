"""Events on objects, for `kubectl describe`."""

import logging
import time
from datetime import UTC, datetime

from sympozium.contract.errors import SympoziumError
from sympozium.contract.names import short_hash
from sympozium.contract.resources import EVENTS, Object
from sympozium.contract.times import kube_time
from sympozium.kube.client import Kube

log = logging.getLogger(__name__)

MAX_REMEMBERED = 1000


class Events:
    """Writes events in the name of one controller."""

    def __init__(self, kube: Kube, component: str) -> None:
        self._kube = kube
        self._component = component
        self._said: dict[tuple[str, str, str], None] = {}

    async def record(self, about: Object, reason: str, message: str, *, warning: bool) -> None:
        """Attach one event to *about*, and the same one to the same object only once.

        Events are help for people: one that cannot be written is logged and dropped.
        """
        said = (about["metadata"]["uid"], reason, message)
        if said in self._said:
            return
        self._said[said] = None
        if len(self._said) > MAX_REMEMBERED:
            del self._said[next(iter(self._said))]
        try:
            await self._kube.create(EVENTS, self._event(about, reason, message, warning))
        except SympoziumError as error:
            log.warning(
                "event not recorded",
                extra={"action": "drop", "reason": reason, "cause": str(error)},
            )

    def _event(self, about: Object, reason: str, message: str, warning: bool) -> Object:
        metadata = about["metadata"]
        moment = kube_time(datetime.now(UTC))
        stamp = f"{time.time_ns():x}"
        unique = short_hash(metadata["uid"], reason, message, stamp)
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {
                "name": f"{metadata['name']}.{unique}",
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": self._component,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
