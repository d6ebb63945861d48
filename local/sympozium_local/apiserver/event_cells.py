"""The cells of events, of the old group and of the new one."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sympozium_local.apiserver.relative_time import age
from sympozium_local.apiserver.resource import Object


def _event_object(obj: Object, _now: datetime) -> str:
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    kind = str(about.get("kind", "")).lower()
    return f"{kind}/{about['name']}" if about.get("name") else kind


def _event_part(obj: Object, _now: datetime) -> str:
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    return str(about.get("fieldPath", ""))


def _event_first(obj: Object, now: datetime) -> str:
    names = ("firstTimestamp", "deprecatedFirstTimestamp", "eventTime")
    return age(next((obj[name] for name in names if obj.get(name)), None), now)


def _event_last(obj: Object, now: datetime) -> str:
    observed = (obj.get("series") or {}).get("lastObservedTime")
    last = observed or obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp")
    return age(last, now) if last else _event_first(obj, now)


def _event_source(obj: Object, _now: datetime) -> str:
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    component = source.get("component") or obj.get("reportingComponent") or ""
    parts = [component or obj.get("reportingController"), source.get("host")]
    return ", ".join(part for part in parts if part)


def _event_count(obj: Object, _now: datetime) -> int:
    counts = ((obj.get("series") or {}).get("count"), obj.get("count"))
    return next((int(one) for one in counts if one), 1)


def _event_message(obj: Object, _now: datetime) -> str:
    return str(obj.get("message") or obj.get("note") or "").strip()


EVENT_CELLS: Mapping[str, Callable[[Object, datetime], Any]] = {
    "Last Seen": _event_last,
    "First Seen": _event_first,
    "Object": _event_object,
    "Subobject": _event_part,
    "Source": _event_source,
    "Message": _event_message,
    "Count": _event_count,
}
"""What fills a cell of an event, by column."""
