"""Finding the message on which a program dies, so that it does not die of it for ever.

A message that kills whoever handles it comes again, and kills again; nobody is left
to count. So what comes again is marked before it is handled, where the mark outlives
the program, and the mark is taken away when the handling has come back, however it
ended. What is left of a mark is a death: a whole one, if the program died at once, and a
quarter of one if it lived on for a while, since then the message is more likely to have
been what it held while somebody else killed it.

A mark names the program that made it. So what two living programs have in their hands at
the same time, while something that both need is away, is never taken for a death of
either for longer than they are at it.

How often the bus delivered a message says none of this: it delivers again what a
program merely held when it died, and what nobody could handle because something that
the program needs was away.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Protocol
from uuid import uuid4

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import MAX_ATTEMPTS

log = logging.getLogger(__name__)

ALIVE_AFTER_S = 5.0
"""A program that lives so long after it began with a message does not die of it at once."""

LATE_DEATHS = 4
"""How many deaths of programs that lived on count for one."""

_LIVED_ON = "+"
"""Behind the name of a program that lived on."""


class FatalMessageError(PermanentError):
    """Programs died of this message, one after another.

    Attributes:
        attempts: How often somebody began to handle it.
    """

    def __init__(self, attempts: int) -> None:
        super().__init__(
            f"cannot handle a message: the program ended {attempts} times while it did; "
            "see the logs of its earlier containers"
        )
        self.attempts = attempts


class Marks(Protocol):
    """Notes that outlive the program. Every method raises `TransientError` when it cannot."""

    async def read(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the notes of *keys* that are kept."""

    async def keep(self, kept: Mapping[str, str]) -> None:
        """Keep notes by key; they are on disk when this returns. An empty one is forgotten."""


Work = Callable[[], Awaitable[None]]


class Suspects:
    """Has messages handled of which a predecessor may have died."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._me = uuid4().hex[:8]
        self._alone = asyncio.Lock()

    async def handle(self, sequence: int, work: Work, *, what: str = "tried") -> None:
        """Do *work* for the message at *sequence*; raises what that raises.

        What is done with one message is counted apart by *what* it is.

        Messages of which somebody seems to have died already are begun one at a time, so
        that the next death is laid to the right one.

        Raises:
            FatalMessageError: Nothing was done: too many died of it.
            TransientError: The mark cannot be read or kept; nothing was done.
        """
        key = f"{what}:{sequence}"
        others = await self._others(key)
        if _deaths(others) + 1 >= MAX_ATTEMPTS:  # nobody marked the first one
            raise FatalMessageError(len(others) + 1)
        async with AsyncExitStack() as alone:
            if others:
                await alone.enter_async_context(self._alone)
            await self._marks.keep({key: " ".join((*others, self._me))})
            await self._try(key, work, alone)

    async def _try(self, key: str, work: Work, alone: AsyncExitStack) -> None:
        failure: Exception | None = None
        async with asyncio.TaskGroup() as group:
            living = group.create_task(self._outlive(key, alone))
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - raised below, not as a group of one
                failure = error
            living.cancel()
        if isinstance(failure, TransientError | TimeoutError):
            await self._change(key)
        else:
            await self._keep(key, ())
        if failure is not None:
            raise failure

    async def _outlive(self, key: str, alone: AsyncExitStack) -> None:
        """Say of what only takes long that it does, and let the next one begin."""
        await asyncio.sleep(ALIVE_AFTER_S)
        await self._change(key, f"{self._me}{_LIVED_ON}")
        await alone.aclose()

    async def _others(self, key: str) -> list[str]:
        """Return who marked a message and is not known to have come back from it."""
        text = (await self._marks.read([key])).get(key, "")
        return [one for one in text.split() if one.rstrip(_LIVED_ON) != self._me]

    async def _change(self, key: str, *mine: str) -> None:
        """Put *mine* in the place of our mark; nothing: take it back."""
        try:
            others = await self._others(key)
        except TransientError as error:
            log.debug("mark stays", extra={"action": "skip", "cause": str(error)})
        else:
            await self._keep(key, (*others, *mine))

    async def _keep(self, key: str, who: Sequence[str]) -> None:
        try:
            await self._marks.keep({key: " ".join(who)})
        except TransientError as error:  # one death too many is counted, at the worst
            log.debug("mark stays", extra={"action": "skip", "cause": str(error)})


def _deaths(marks: Sequence[str]) -> int:
    """Return of how many deaths *marks* are what is left."""
    late = sum(one.endswith(_LIVED_ON) for one in marks)
    return len(marks) - late + late // LATE_DEATHS
