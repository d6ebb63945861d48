"""How far the agent's journal has been recorded: kept by the bridge, read by both."""

import asyncio
import logging
import os
from pathlib import Path
from typing import Annotated

import msgspec

from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError

log = logging.getLogger(__name__)

FIRST_LOOK_S, LAST_LOOK_S = 0.002, 0.25
"""Pauses before it is looked again; a bus takes some milliseconds, one that is away minutes."""


class Recorded(msgspec.Struct, frozen=True):
    """How far a journal has been recorded.

    Attributes:
        offset: Everything before it is on the bus.
        is_ended: The run's end is among it.
    """

    offset: Annotated[int, msgspec.Meta(ge=0, le=2**62)] = 0
    is_ended: bool = False


class RecordedFile:
    """Keeps `Recorded` across a restart of the bridge.

    What it says may be older than the truth: lines are then recorded again under the
    same message ids, and the bus drops them. It is not forced to the disk: it has to
    survive this process, and with the machine the journal itself is gone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Recorded:
        """Return what was kept; nothing recorded where there is nothing readable."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(fd, "rb") as file:
                return decode(file.read(4096), Recorded)
        except (OSError, PermanentError):
            return Recorded()

    def write(self, recorded: Recorded) -> None:
        """Keep *recorded* in place of what was there."""
        fresh = self._path.with_suffix(".new")
        try:
            fresh.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(fresh, flags, 0o644), "wb") as file:
                file.write(encode(recorded))
            fresh.replace(self._path)
        except OSError as error:
            log.warning(
                "progress is not kept; a restart records lines again",
                extra={"action": "drop", "cause": error.strerror},
            )


async def until_ended(kept: RecordedFile) -> None:
    """Return when the run's end is on the bus."""
    look_s = FIRST_LOOK_S
    while not kept.read().is_ended:
        await asyncio.sleep(look_s)
        look_s = min(2 * look_s, LAST_LOOK_S)
