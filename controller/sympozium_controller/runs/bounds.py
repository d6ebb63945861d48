"""What the LimitRanges of a namespace leave to a run's containers.

What an Agent says of its container is its owner's word: where a LimitRange does not allow
it, the run is refused in the words of the rule. What nobody said is ours to choose, and is
chosen so that the rule is kept.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from sympozium.contract.agent import Resources
from sympozium.contract.resources import Object
from sympozium_controller.runs.quota import UNKNOWN, quantity

_PER_CONTAINER = "Container"
_MILLI = Decimal("0.001")

Amounts = dict[str, Decimal]
Stricter = Callable[[Decimal, Decimal], Decimal]


@dataclass(frozen=True)
class Bounds:
    """The strictest of what is said of a container, by the name of a resource.

    Attributes:
        least: What a container has to ask for at least.
        most: What it may use at most.
        ratio: How many times as much as it asks for it may use.
        default: The limit of a container that has none.
    """

    least: Mapping[str, Decimal] = field(default_factory=dict)
    most: Mapping[str, Decimal] = field(default_factory=dict)
    ratio: Mapping[str, Decimal] = field(default_factory=dict)
    default: Mapping[str, Decimal] = field(default_factory=dict)

    def fit(self, ours: Resources, given: Resources) -> Resources:
        """Return *given*, completed with *ours*, bent where it breaks no word of *given*."""
        requests = {**ours.requests, **given.requests}
        limits = {**ours.limits, **given.limits}
        for name in {*self.least, *self.most, *self.ratio, *self.default, *requests, *limits}:
            request, limit = requests.get(name), limits.get(name)
            pair = _Pair(
                quantity(request) if request else None,
                quantity(limit) if limit else None,
                may_ask=name not in given.requests,
                may_limit=name not in given.limits,
            )
            fitted = self._fit(name, pair)
            if fitted.request != pair.request and fitted.request is not None:
                requests[name] = _written(name, fitted.request, ROUND_CEILING)
            if fitted.limit != pair.limit and fitted.limit is not None:
                limits[name] = _written(name, fitted.limit, ROUND_FLOOR)
        return Resources(requests=requests, limits=limits)

    def _fit(self, name: str, pair: "_Pair") -> "_Pair":
        least, most, ratio = self.least.get(name), self.most.get(name), self.ratio.get(name)
        request, limit = pair.request, pair.limit
        if pair.may_limit:
            ceiling = [one for one in (limit, most, self.default.get(name)) if one is not None]
            limit = min(ceiling, default=None)
            if limit is not None and least is not None:
                limit = max(limit, least)
            if not pair.may_ask and limit is not None and request is not None:
                limit = max(limit, request)
        if pair.may_ask and request is not None:
            request = max(request, least or request)
            if ratio and limit is not None:
                request = max(request, limit / ratio)
            request = min(request, limit if limit is not None else request)
        if ratio and request is not None and pair.may_limit:
            limit = min(limit if limit is not None else request * ratio, request * ratio)
        return _Pair(request, limit, may_ask=pair.may_ask, may_limit=pair.may_limit)


@dataclass(frozen=True)
class _Pair:
    """What a container asks for and may use of one resource, and what of it is ours to choose."""

    request: Decimal | None
    limit: Decimal | None
    may_ask: bool
    may_limit: bool


NO_BOUNDS = Bounds()


def read_bounds(limit_ranges: Iterable[Object]) -> Bounds:
    """Return what LimitRanges say of containers, all of them together."""
    least: Amounts = {}
    most: Amounts = {}
    ratio: Amounts = {}
    default: Amounts = {}
    for one in limit_ranges:
        for item in (one.get("spec") or {}).get("limits") or []:
            if item.get("type") != _PER_CONTAINER:
                continue
            _gather(least, item.get("min"), max)
            _gather(most, item.get("max"), min)
            _gather(ratio, item.get("maxLimitRequestRatio"), min)
            _gather(default, item.get("default"), min)
    return Bounds(least, most, ratio, default)


def _gather(known: Amounts, said: Mapping[str, str] | None, stricter: Stricter) -> None:
    for name, text in (said or {}).items():
        amount = quantity(str(text))
        if amount < UNKNOWN:
            known[name] = stricter(known.get(name, amount), amount)


def _written(name: str, amount: Decimal, rounding: str) -> str:
    """Write an amount as the API server does: processors in thousandths, the rest whole."""
    if name == "cpu":
        return f"{int((amount / _MILLI).to_integral_value(rounding))}m"
    return str(int(amount.to_integral_value(rounding)))
