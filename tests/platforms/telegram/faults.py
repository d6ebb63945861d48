"""What a stand-in Bot API does wrong on demand, and what it counts."""

import asyncio
import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from sympozium.testing.channels.driver import Fault

SHOWING = frozenset({"sendMessage", "editMessageText", "sendDocument", "sendPhoto"})
"""The calls whose outcome is kept and seen."""

SEEN = SHOWING | {"deleteMessage", "sendChatAction", "setMessageReaction", "sendMessageDraft"}
"""The calls that come out of a chat's budget."""


class ApiError(Exception):
    """An answer that is not ok."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


class ResetError(Exception):
    """The connection is to be reset; *after* the call was carried out or before."""

    def __init__(self, *, after: bool) -> None:
        super().__init__()
        self.after = after


@dataclass
class Planned:
    """One thing that will go wrong."""

    fault: Fault
    methods: Collection[str] = SHOWING
    retry_after_s: float = 1.0


@dataclass
class Faults:
    """What is to go wrong, and what was called during a penalty.

    Attributes:
        held: Methods whose answer does not come until it is set.
        unknown: Methods that this server is too old to know.
        is_revoked: The token is not valid any more.
    """

    planned: deque[Planned] = field(default_factory=deque)
    unknown: set[str] = field(default_factory=set)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    is_revoked: bool = False
    raw_answers: deque[tuple[str, int, bytes]] = field(default_factory=deque)
    calls: int = 0
    calls_in_penalty: int = 0
    _closed_until: dict[str, float] = field(default_factory=dict)

    def hold(self, method: str) -> asyncio.Event:
        """Answer no call of *method* until the event that is returned is set."""
        return self.held.setdefault(method, asyncio.Event())

    def check(self, method: str, params: dict[str, str]) -> Planned | None:
        """Count a call; raise what goes wrong before it is carried out, return what does after."""
        chat = params.get("chat_id", "")
        now = asyncio.get_running_loop().time()
        if method in SEEN:
            self.calls += 1
            if now < self._closed_until.get(chat, 0.0):
                self.calls_in_penalty += 1
                raise self._busy(chat, 2 * (self._closed_until[chat] - now))
        planned = self._next(method, params)
        if planned is None:
            return None
        fault = planned.fault
        if fault is Fault.BUSY:
            raise self._busy(chat, planned.retry_after_s)
        if fault is Fault.BROKEN:
            raise ApiError(502, "Bad Gateway")
        if fault is Fault.RESET:
            raise ResetError(after=False)
        if fault is Fault.GONE:
            raise ApiError(403, "Forbidden: bot was kicked from the supergroup chat")
        if fault is Fault.REVOKED:
            raise ApiError(401, "Unauthorized")
        if fault is Fault.MARKUP:
            raise ApiError(400, "Bad Request: can't parse entities: Unsupported start tag")
        return planned

    def _next(self, method: str, params: dict[str, str]) -> Planned | None:
        if not self.planned or method not in self.planned[0].methods:
            return None
        if self.planned[0].fault is Fault.MARKUP and not params.get("parse_mode"):
            return None
        return self.planned.popleft()

    def _busy(self, chat: str, retry_after_s: float) -> ApiError:
        seconds = max(1, math.ceil(retry_after_s))
        self._closed_until[chat] = asyncio.get_running_loop().time() + seconds
        text = f"Too Many Requests: retry after {seconds}"
        return ApiError(429, text, retry_after=seconds)
