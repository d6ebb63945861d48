"""Discord's rate limits as its headers tell them: no call is made that would be refused."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from sympozium_discord.library import Route

MAX_BUCKETS = 2048
UNTOLD_S = 0.02
"""How soon to ask again where the first call of a limit is under way, and will tell of it."""


@dataclass
class _Bucket:
    remaining: int
    resets_at: float


class Buckets:
    """What is left of each limit.

    Which routes share a limit is told by a header, for each major parameter (channel,
    server, webhook) apart. Where nothing has been told, or its time is over, one call
    goes ahead and the others wait for what it is told.

    Source: https://docs.discord.com/developers/topics/rate-limits
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._names: dict[str, str] = {}
        self._buckets: dict[str, _Bucket] = {}
        self._under_way: Counter[str] = Counter()
        self._open_again_at = 0.0

    def wait_s(self, route: Route) -> float:
        """Return the seconds after which to ask again, or 0.0: a call may be made now."""
        now = self._clock()
        if now < self._open_again_at and not _is_interaction(route):
            return self._open_again_at - now
        bucket = self._buckets.get(self._key(route))
        if bucket is None or now >= bucket.resets_at:
            return UNTOLD_S if self._under_way[self._key(route)] else 0.0
        return 0.0 if bucket.remaining > 0 else bucket.resets_at - now

    @contextmanager
    def taken(self, route: Route) -> Iterator[None]:
        """Count a call of *route* while the block lasts."""
        key = self._key(route)
        bucket = self._buckets.get(key)
        if bucket is not None and self._clock() < bucket.resets_at:
            bucket.remaining -= 1
        self._under_way[key] += 1
        try:
            yield
        finally:
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]

    def learn(self, route: Route, headers: Mapping[str, str]) -> None:
        """Take in what an answer says of its limit. Called while its call is still counted."""
        others = self._under_way[self._key(route)] - 1  # they may not be counted at Discord yet
        name = headers.get("X-RateLimit-Bucket")
        if name:
            self._names[route.key] = name
        try:
            remaining = int(headers["X-RateLimit-Remaining"])
            resets_at = self._clock() + float(headers["X-RateLimit-Reset-After"])
        except (KeyError, ValueError):
            return
        self._put(route, _Bucket(remaining - max(others, 0), resets_at))

    def punish(self, route: Route, *, for_s: float, is_overall: bool) -> None:
        """Let nothing of *route* through for a time, or nothing at all."""
        until = self._clock() + for_s
        if is_overall:
            self._open_again_at = max(self._open_again_at, until)
        else:
            self._put(route, _Bucket(0, until))

    def _put(self, route: Route, told: _Bucket) -> None:
        key, now = self._key(route), self._clock()
        known = self._buckets.get(key)
        if known is not None and now < known.resets_at:  # answers may overtake each other
            told.remaining = min(told.remaining, known.remaining)
            told.resets_at = max(told.resets_at, known.resets_at)
        self._buckets[key] = told
        if len(self._buckets) > MAX_BUCKETS:
            live = {key: one for key, one in self._buckets.items() if now < one.resets_at}
            self._buckets = live

    def _key(self, route: Route) -> str:
        return f"{self._names.get(route.key, route.key)}:{route.major_parameters}"


def _is_interaction(route: Route) -> bool:
    """Return whether the overall limit leaves *route* out."""
    return route.path.startswith(("/interactions/", "/webhooks/"))
