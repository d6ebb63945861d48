"""A Channel's condition `Ready`: what its other conditions come to, in one that tools read.

Who waits for an object without knowing its kind reads `Ready` and `observedGeneration`, and
no other condition of ours. Controller and router each write a part of the conditions, so
both sum up what is there by the time of their own write: it costs none of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sympozium.contract.channel import AVAILABLE, CONNECTED, READY

_COUNTING = (AVAILABLE, CONNECTED)
"""In the order in which one that is False gives its reason."""

Conditions = Sequence[Mapping[str, Any]]


def with_ready(conditions: Conditions, *, now: str) -> list[Mapping[str, Any]]:
    """Return a Channel's *conditions* with `Ready` as the others have it.

    It is True while the program is available and does not say that its platform refuses
    it, and has the `observedGeneration` of `Available`. While nothing is known of that
    there is none. The time of transition moves only when the truth does.

    Args:
        conditions: As they are to be written; a `Ready` among them is the one held before.
        now: As Kubernetes writes a time.
    """
    by_type = {one["type"]: one for one in conditions}
    held = by_type.pop(READY, {})
    available = by_type.get(AVAILABLE)
    if available is None:
        return list(by_type.values())
    blamed = next((by_type[one] for one in _COUNTING if _is_false(by_type.get(one))), None)
    said = {"reason": "Ready"} if blamed is None else _said(blamed)
    status = "True" if blamed is None else "False"
    moved = held.get("status") != status
    ready = {
        "type": READY,
        "status": status,
        **said,
        "observedGeneration": available.get("observedGeneration", 0),
        "lastTransitionTime": now if moved else held.get("lastTransitionTime", now),
    }
    return [*by_type.values(), ready]


def _is_false(condition: Mapping[str, Any] | None) -> bool:
    return condition is not None and condition["status"] == "False"


def _said(condition: Mapping[str, Any]) -> dict[str, Any]:
    return {name: condition[name] for name in ("reason", "message") if condition.get(name)}
