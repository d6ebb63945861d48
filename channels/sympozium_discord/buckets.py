"""Discord's rate limits as its headers tell them: no call is made that would be refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic

from sympozium_discord.library import Route

MAX_BUCKETS = 2048


@dataclass
class _Bucket:
    remaining: int
    resets_at: float


class Buckets:
    """What is left of each limit.

    Which routes share a limit is told by a header, for each major parameter (channel,
    server, webhook) apart. What has not been told is not limited here.

    Source: https://docs.discord.com/developers/topics/rate-limits
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._names: dict[str, str] = {}
        self._buckets: dict[str, _Bucket] = {}
        self._open_again_at = 0.0

    def take(self, route: Route) -> float:
        """Take one call of *route*; return the seconds after which to ask again, or 0.0."""
        now = self._clock()
        if now < self._open_again_at and not _is_interaction(route):
            return self._open_again_at - now
        bucket = self._buckets.get(self._key(route))
        if bucket is None or now >= bucket.resets_at:
            return 0.0
        if bucket.remaining > 0:
            bucket.remaining -= 1
            return 0.0
        return bucket.resets_at - now

    def learn(self, route: Route, headers: Mapping[str, str]) -> None:
        """Take in what an answer says of its limit."""
        name = headers.get("X-RateLimit-Bucket")
        if name:
            self._names[route.key] = name
        try:
            remaining = int(headers["X-RateLimit-Remaining"])
            resets_at = self._clock() + float(headers["X-RateLimit-Reset-After"])
        except (KeyError, ValueError):
            return
        self._put(route, _Bucket(remaining, resets_at))

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
