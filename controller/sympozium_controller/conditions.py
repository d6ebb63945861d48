"""Writing one condition into an object's status, only when it says something new."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sympozium.contract.resources import Object, Resource
from sympozium.contract.times import kube_time
from sympozium.kube.client import Kube
from sympozium.kube.tenants import TenantInformer


@dataclass(frozen=True)
class Verdict:
    """What a condition is to say."""

    type: str
    is_true: bool
    reason: str
    message: str = ""


SumUp = Callable[[Sequence[Object]], list[Any]]
"""Returns the conditions of an object with those that follow from the others."""


async def write_condition(
    kube: Kube,
    resource: Resource,
    cache: TenantInformer,
    obj: Object,
    verdict: Verdict,
    *,
    sum_up: SumUp = list,
) -> None:
    """Make *obj*'s status carry *verdict* for its present generation.

    Nothing is written when it does already; the time of transition moves only
    when the truth does. What *sum_up* makes of it is written with it.

    Raises:
        ConflictError: The object changed meanwhile; decide again.
    """
    status = obj.get("status") or {}
    generation = obj["metadata"].get("generation", 1)
    conditions = status.get("conditions") or []
    held: Object = next((one for one in conditions if one["type"] == verdict.type), {})
    others = [one for one in conditions if one["type"] != verdict.type]
    fresh = sum_up([*others, _condition(held, verdict, generation, kube.now())])
    if _by_type(fresh) == _by_type(conditions) and status.get("observedGeneration") == generation:
        return
    wanted = {**status, "observedGeneration": generation, "conditions": fresh}
    cache.remember(await kube.replace(resource, {**obj, "status": wanted}, subresource="status"))


def _by_type(conditions: Sequence[Object]) -> dict[str, Object]:
    return {one["type"]: one for one in conditions}


def _condition(held: Object, verdict: Verdict, generation: int, now: datetime) -> Object:
    status = "True" if verdict.is_true else "False"
    moved = held.get("status") != status
    condition: Object = {
        "type": verdict.type,
        "status": status,
        "reason": verdict.reason,
        "observedGeneration": generation,
        "lastTransitionTime": kube_time(now) if moved else held.get("lastTransitionTime", ""),
    }
    return {**condition, "message": verdict.message} if verdict.message else condition
