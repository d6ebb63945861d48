"""Getting the run's context from the router to the agent, once."""

import asyncio
import logging
from contextlib import closing
from pathlib import Path

from sympozium.bus.ports import LiveBus, NoAnswerError
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError
from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import ContextAnswer, Failure, RunContext
from sympozium.contract.subjects import context
from sympozium_agent.journal import JournalReader, JournalWriter
from sympozium_agent.recorder import RunIdentity

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_S = 2.0
FIRST_PAUSE_S = 0.05
MAX_PAUSE_S = 1.0


class ContextUnavailableError(PermanentError):
    """The run cannot be told its task."""


async def brief(bus: LiveBus, identity: RunIdentity, path: Path, *, patience_s: float) -> None:
    """Make the run's context the first line of the journal at *path* that counts.

    Where an earlier bridge of this pod did so, nothing is asked and nothing written.

    Raises:
        ContextUnavailableError: The router refuses, or does not answer for *patience_s*
            seconds. The agent has been told so too.
    """
    if has_briefing(path):
        return
    with closing(JournalWriter(path)) as journal:
        try:
            async with asyncio.timeout(patience_s):
                found = await _ask_until_answered(bus, identity)
            journal.append(encode(found))
        except TimeoutError:
            detail = f"cannot get the run's context: no router answered for {patience_s:g} s"
            _tell_agent(journal, detail)
            raise ContextUnavailableError(detail) from None
        except ContextUnavailableError as error:
            _tell_agent(journal, str(error))
            raise


def has_briefing(path: Path) -> bool:
    """Return whether the journal at *path* has a line that tells the agent what to do."""
    with closing(JournalReader(path)) as reader:
        while line := reader.next_line():
            for kind in (RunContext, Failure):
                try:
                    decode(line.data, kind)
                except PermanentError:
                    continue
                return True
    return False


async def _ask_until_answered(bus: LiveBus, identity: RunIdentity) -> RunContext:
    subject = context(identity.namespace, identity.run_uid)
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            data = await bus.request(subject, b"{}", timeout_s=REQUEST_TIMEOUT_S)
            answer = decode(data, ContextAnswer)
        except NoAnswerError as error:
            cause = str(error)
        except PermanentError as error:
            raise ContextUnavailableError(f"cannot use the run's context: {error}") from error
        else:
            if answer.context is not None:
                return answer.context
            if not answer.retry:
                raise ContextUnavailableError(f"cannot get the run's context: {answer.error}")
            cause = answer.error
        log.debug("context is asked for again", extra={"action": "retry", "cause": cause})
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.7, MAX_PAUSE_S)


def _tell_agent(journal: JournalWriter, detail: str) -> None:
    journal.append(encode(Failure(reason=Reason.CONTEXT_UNAVAILABLE, detail=detail)))
