"""Penalties outlive the program that earned them: calling during one makes it longer.

What a platform asks to wait for longer than a moment is noted with the router, and
kept by whoever starts next.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from sympozium.bus.cancelled import ended
from sympozium.chat.desk import Desk
from sympozium.chat.errors import PlatformBusyError
from sympozium.chat.outbox.budget import Budget
from sympozium.contract.errors import PermanentError, TransientError

log = logging.getLogger(__name__)

NOTED_FROM_S = 5.0
"""A shorter penalty is over before a successor has started."""

PATIENCE_S = 5.0
RETRY_S = 1.0
MAX_WAITING = 1024

_CHAT, _OVERALL = "busy:chat:", "busy:all"


class Penalties:
    """The penalties of one bot account."""

    def __init__(self, desk: Desk, budget: Budget) -> None:
        self._desk = desk
        self._budget = budget
        self._waiting: dict[str, str] = {}
        self._wake = asyncio.Event()

    def note(self, chat: str, error: PlatformBusyError) -> None:
        """Have a penalty kept, if it is a long one. Returns at once."""
        if error.retry_after_s < NOTED_FROM_S or len(self._waiting) >= MAX_WAITING:
            return
        until = datetime.now(UTC) + timedelta(seconds=error.retry_after_s)
        self._waiting[_OVERALL if error.is_overall else _CHAT + chat] = until.isoformat()
        self._wake.set()

    async def keep_loop(self, stop: asyncio.Event) -> None:
        """Keep what is noted, until *stop* is set."""
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(self._keep())
            await stop.wait()
            await ended(keeping)

    async def restore(self) -> None:
        """Close what a predecessor was told to leave alone; forget what is over."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                notes = await self._desk.read_all("busy:")
        except (TransientError, PermanentError, TimeoutError) as error:
            log.debug("penalties are not known", extra={"action": "drop", "cause": str(error)})
            return
        for key, note in notes.items():
            left_s = _left_s(note)
            if left_s <= 0:
                self._waiting[key] = ""
                self._wake.set()
            elif key == _OVERALL:
                self._budget.close_all(left_s)
            else:
                self._budget.close(key.removeprefix(_CHAT), left_s)

    async def _keep(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            notes, self._waiting = self._waiting, {}
            try:
                await self._desk.keep(notes)
            except TransientError:
                self._waiting = notes | self._waiting
                self._wake.set()
                await asyncio.sleep(RETRY_S)
            except PermanentError as error:
                log.warning("penalty not kept", extra={"action": "drop", "cause": str(error)})


def _left_s(note: str) -> float:
    try:
        return (datetime.fromisoformat(note) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):  # of a version that wrote it otherwise
        return 0.0
