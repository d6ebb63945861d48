"""Handing messages that come while the agent works to it, each once."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from sympozium.contract.envelope import decode, encode, unwrap
from sympozium.contract.errors import PermanentError
from sympozium.contract.names import MessageId
from sympozium.contract.run_events import Failure, RunContext, Steering
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium_agent.incoming import Incoming
from sympozium_agent.journal import JournalReader, JournalWriter

log = logging.getLogger(__name__)

T = TypeVar("T")


class Told:
    """What the agent has been told so far, as its journal at *path* has it.

    Attributes:
        is_briefed: It knows its task, or that there is none.
    """

    def __init__(self, path: Path) -> None:
        self.is_briefed = False
        self._message_ids: set[MessageId] = set()
        with closing(JournalReader(path)) as reader:
            while line := reader.next_line():
                self._read(line.data)

    def briefed(self, context: RunContext) -> None:
        """Take note that the agent has *context*, and the messages in it."""
        self.is_briefed = True
        self._message_ids |= {one.message_id for one in context.steered}

    def handed(self, message_id: MessageId) -> None:
        """Take note that the agent has a message, or is about to."""
        self._message_ids.add(message_id)

    def has(self, message_id: MessageId) -> bool:
        """Return whether the agent was handed a message."""
        return message_id in self._message_ids

    def _read(self, line: bytes) -> None:
        if (context := _read(line, RunContext)) is not None:
            self.briefed(context)
        elif (steering := _read(line, Steering)) is not None:
            self.handed(steering.message_id)
        elif _read(line, Failure) is not None:
            self.is_briefed = True


class HandingOver:
    """Appends messages to the journal of the agent, each once, whichever way they come.

    A message that cannot be handed over is not lost: who sent it here sees in the
    end that it was not taken in, and has it answered by another run.
    """

    def __init__(self, journal: JournalWriter, told: Told, files: Incoming) -> None:
        self._journal = journal
        self._told = told
        self._files = files

    async def heard(self, messages: AsyncIterator[tuple[str, bytes]]) -> None:
        """Hand over what comes in *messages*, as long as this runs."""
        async for _, data in messages:
            try:
                steering = unwrap(data, Steering)
            except PermanentError as error:
                log.warning("message is none", extra={"action": "refuse", "cause": str(error)})
                continue
            if not await self._give(steering):
                return

    async def missed(
        self, gap: asyncio.Event, ask: Callable[[], Awaitable[Sequence[Steering]]]
    ) -> None:
        """Hand over what was not heard, after each *gap*, as long as this runs.

        *ask* returns all that was sent to the run so far. What it does not tell was not
        taken in.
        """
        while True:
            await gap.wait()
            gap.clear()
            try:
                sent = await ask()
            except PermanentError as error:
                cause = str(error)
                log.warning("missed messages stay", extra={"action": "drop", "cause": cause})
                continue
            for steering in sent:
                if not await self._give(steering):
                    return

    async def _give(self, steering: Steering) -> bool:
        """Hand a message over, unless it was; return whether the journal takes more."""
        if self._told.has(steering.message_id):
            return True
        self._told.handed(steering.message_id)  # it may come the other way while files are fetched
        await self._files.fetch(steering.files)
        reach(Point.BRIDGE_BEFORE_HAND_OVER)
        if not _append(self._journal, steering):
            return False
        reach(Point.BRIDGE_AFTER_HAND_OVER)
        return True


def _append(journal: JournalWriter, steering: Steering) -> bool:
    try:
        journal.append(encode(steering))
    except PermanentError as error:
        log.warning("message is not handed over", extra={"action": "drop", "cause": str(error)})
        return False
    return True


def _read(line: bytes, kind: type[T]) -> T | None:
    try:
        return decode(line, kind)
    except PermanentError:
        return None
