"""Having calls of the bot fail as Discord's do."""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from sympozium.testing.channels.driver import Counts, Fault
from tests.platforms.discord.looks import look

Do = Callable[[], Awaitable[web.Response]]


class RefusedError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, code: int, text: str, **more: object) -> None:
        super().__init__(text)
        self.status = status
        self.body = {"code": code, "message": text} | more


@dataclass
class Faults:
    """What happens to the next calls that show something."""

    counts: Counts = field(default_factory=Counts)
    when_shown: Callable[[], None] | None = None
    """Called once, when the next call was done and is not answered yet."""

    _waiting: deque[tuple[Fault, float]] = field(default_factory=deque)
    _busy_until: dict[str, float] = field(default_factory=dict)

    def add(self, fault: Fault, times: int, retry_after_s: float) -> None:
        """Have the next *times* calls fail so."""
        self._waiting.extend([(fault, retry_after_s)] * times)

    async def meet(self, request: web.Request, room: str, content: str, do: Do) -> web.Response:
        """Make a call of *room* that shows *content*, or let it fail."""
        self.counts.calls += 1
        if time.monotonic() < self._busy_until.get(room, 0.0):
            self.counts.calls_in_penalty += 1
        if self.when_shown is not None:
            response, act, self.when_shown = await do(), self.when_shown, None
            act()
            return response
        if not self._waiting or not _applies(self._waiting[0][0], content):
            return await do()
        fault, retry_after_s = self._waiting.popleft()
        if fault is Fault.LOST_ANSWER:
            await do()
        if fault in {Fault.LOST_ANSWER, Fault.RESET}:
            assert request.transport is not None
            request.transport.abort()
            raise ConnectionResetError
        if fault is Fault.BUSY:
            self._busy_until[room] = time.monotonic() + retry_after_s
            return busy(retry_after_s)
        if fault is Fault.BROKEN:
            return web.Response(status=502, text="<html>bad gateway</html>")
        raise _REFUSALS[fault]


def busy(retry_after_s: float, *, is_global: bool = False) -> web.Response:
    """Return the answer that asks to wait."""
    return web.Response(
        status=429,
        body=web.json_response(
            {"message": "limited", "retry_after": retry_after_s, "global": is_global}
        ).body,
        headers={
            "Content-Type": "application/json",
            "Via": "1.1 google",
            "Retry-After": str(max(1, round(retry_after_s))),
            "X-RateLimit-Scope": "global" if is_global else "user",
        },
    )


_REFUSALS = {
    Fault.GONE: RefusedError(403, 50001, "Missing Access"),
    Fault.REVOKED: RefusedError(401, 0, "401: Unauthorized"),
    Fault.MARKUP: RefusedError(
        400, 50035, "Invalid Form Body", errors={"content": {"_errors": [{"code": "BAD"}]}}
    ),
}


def _applies(fault: Fault, content: str) -> bool:
    return fault is not Fault.MARKUP or look(content).has_markup
