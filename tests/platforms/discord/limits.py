"""Rate limits by bucket, told in headers, and what became of those who did not heed them."""

import time
from collections import defaultdict
from dataclasses import dataclass, field

from aiohttp import web

from tests.platforms.discord.faults import busy


@dataclass
class _Window:
    began: float = 0.0
    used: int = 0


@dataclass
class Limits:
    """So many calls of a route and channel within so many seconds."""

    count: int = 1000
    per_s: float = 1.0
    by_route: dict[str, tuple[int, float]] = field(default_factory=dict)
    exceeded: int = 0
    _windows: dict[str, _Window] = field(default_factory=lambda: defaultdict(_Window))

    def take(self, route: str, room: str) -> web.Response | None:
        """Count a call; return the refusal of one too many."""
        count, per_s = self.by_route.get(route, (self.count, self.per_s))
        window, now = self._windows[f"{route}:{room}"], time.monotonic()
        if now - window.began >= per_s:
            window.began, window.used = now, 0
        window.used += 1
        if window.used <= count:
            return None
        self.exceeded += 1
        return busy(window.began + per_s - now)

    def headers(self, route: str, room: str) -> dict[str, str]:
        """Return what an answer tells of its limit."""
        count, per_s = self.by_route.get(route, (self.count, self.per_s))
        window = self._windows[f"{route}:{room}"]
        left_s = max(window.began + per_s - time.monotonic(), 0.0)
        return {
            "X-RateLimit-Bucket": f"{abs(hash(route)):x}"[:16],
            "X-RateLimit-Limit": str(count),
            "X-RateLimit-Remaining": str(max(count - window.used, 0)),
            "X-RateLimit-Reset-After": f"{left_s:.3f}",
        }
