"""Handing messages that come while the agent works to it, each once."""

import logging
from collections.abc import AsyncIterator
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


async def hand_over(
    messages: AsyncIterator[tuple[str, bytes]], path: Path, told: Told, files: Incoming
) -> None:
    """Append what comes in *messages* to the journal at *path*, as long as this runs.

    A message that cannot be handed over is not lost: who sent it here sees in the
    end that it was not taken in, and has it answered by another run.
    """
    with closing(JournalWriter(path)) as journal:
        async for _, data in messages:
            try:
                steering = unwrap(data, Steering)
            except PermanentError as error:
                log.warning("message is none", extra={"action": "refuse", "cause": str(error)})
                continue
            if told.has(steering.message_id):
                continue
            await files.fetch(steering.files)
            reach(Point.BRIDGE_BEFORE_HAND_OVER)
            told.handed(steering.message_id)
            if not _append(journal, steering):
                return
            reach(Point.BRIDGE_AFTER_HAND_OVER)


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
