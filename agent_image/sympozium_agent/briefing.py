"""Getting the run's context from the router to the agent, once."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from sympozium.bus.ports import LiveBus, NoAnswerError
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError
from sympozium.contract.names import RunName
from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import (
    ContextAnswer,
    ContextRequest,
    Failure,
    RunContext,
    Steering,
)
from sympozium.contract.subjects import context
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium_agent.incoming import Incoming
from sympozium_agent.journal import JournalWriter
from sympozium_agent.run_bus import RunIdentity

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_S = 2.0
FIRST_PAUSE_S = 0.05
MAX_PAUSE_S = 1.0


class ContextUnavailableError(PermanentError):
    """The run cannot be told its task.

    Attributes:
        reason: Of the failure that the run ends with.
    """

    def __init__(self, text: str, reason: Reason = Reason.CONTEXT_UNAVAILABLE) -> None:
        super().__init__(text)
        self.reason = reason


class Briefing:
    """Tells the agent of one run what it is to do, by the journal at *path*."""

    def __init__(self, bus: LiveBus, identity: RunIdentity, path: Path, files: Incoming) -> None:
        self._bus = bus
        self._identity = identity
        self._path = path
        self._files = files

    async def give(self, *, patience_s: float) -> RunContext:
        """Make the run's context the first line of the journal that counts, and return it.

        The files that it names are there by then, or cannot be had.

        Raises:
            ContextUnavailableError: The router refuses, or does not answer for *patience_s*
                seconds. The agent has been told so too.
        """
        with closing(JournalWriter(self._path)) as journal:
            try:
                async with asyncio.timeout(patience_s):
                    found = await _ask_until_answered(self._bus, self._identity)
            except TimeoutError:
                detail = f"cannot get the run's context: no router answered for {patience_s:g} s"
                failure = ContextUnavailableError(detail)
                _tell_agent(journal, failure)
                raise failure from None
            except ContextUnavailableError as error:
                _tell_agent(journal, error)
                raise
            for files in (found.files, *(steering.files for steering in found.steered)):
                await self._files.fetch(files)
            reach(Point.BRIDGE_BEFORE_BRIEFING)
            journal.append(encode(found))
            reach(Point.BRIDGE_AFTER_BRIEFING)
            return found

    async def sent(self) -> Sequence[Steering]:
        """Return every message that was handed to the run so far, as soon as a router answers.

        Raises:
            ContextUnavailableError: The router refuses.
        """
        return (await _ask_until_answered(self._bus, self._identity)).steered


async def _ask_until_answered(bus: LiveBus, identity: RunIdentity) -> RunContext:
    subject = context(identity.namespace, identity.run_uid)
    question = encode(ContextRequest(run_name=RunName(identity.run_name), pod_uid=identity.pod_uid))
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            data = await bus.request(subject, question, timeout_s=REQUEST_TIMEOUT_S)
            answer = decode(data, ContextAnswer)
        except NoAnswerError as error:
            cause = str(error)
        except PermanentError as error:
            raise ContextUnavailableError(f"cannot use the run's context: {error}") from error
        else:
            if answer.context is not None:
                return answer.context
            if not answer.retry:
                raise ContextUnavailableError(
                    f"cannot get the run's context: {answer.error}", _reason(answer.reason)
                )
            cause = answer.error
        log.debug("context is asked for again", extra={"action": "retry", "cause": cause})
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.7, MAX_PAUSE_S)


def _reason(said: str) -> Reason:
    return Reason(said) if said in set(Reason) else Reason.CONTEXT_UNAVAILABLE


def _tell_agent(journal: JournalWriter, error: ContextUnavailableError) -> None:
    journal.append(encode(Failure(reason=error.reason, detail=str(error))))
