"""The agent of a run: reads its task, answers it, and writes everything to the journal.

It holds no credential and reaches nothing but the bridge and its tool sidecars. It ends
when the bridge has recorded how the run ended.
"""

import asyncio
import logging
import os
import signal
from contextlib import closing
from dataclasses import dataclass

from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError
from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import Failure, Result, RunContext, RunEvent, Started
from sympozium.runtime.program import run_program
from sympozium.runtime.reach import reach
from sympozium.runtime.settings import LOG_LEVELS, Reader
from sympozium.runtime.sync_points import Point
from sympozium_agent import heed_sigterm
from sympozium_agent.follow import follow
from sympozium_agent.inbox import Inbox
from sympozium_agent.journal import JournalWriter
from sympozium_agent.layout import DEFAULT_IPC_DIR, IpcLayout
from sympozium_agent.loop import Conversation
from sympozium_agent.openai_provider import open_provider
from sympozium_agent.recorded import RecordedFile, until_ended
from sympozium_agent.tools import open_toolbox

log = logging.getLogger(__name__)

CONTEXT_TIMEOUT_S = 400.0
"""Longer than the bridge tries to get the context and its files, so that it says why."""

PROVIDER = "openai"

EXIT_TERMINATED = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Settings:
    """What the agent is told by its environment.

    Attributes:
        can_attach: Somebody waits for the answer who can be sent files.
    """

    layout: IpcLayout
    model_url: str
    idle_timeout_s: float
    can_attach: bool
    log_level: str


def read_settings() -> Settings:
    """Read the environment.

    Raises:
        SettingsError: Something in it is missing or wrong.
    """
    reader = Reader()
    settings = Settings(
        IpcLayout(reader.path("SYMPOZIUM_IPC_DIR", DEFAULT_IPC_DIR)),
        reader.text("SYMPOZIUM_MODEL_URL", "http://127.0.0.1:8001/v1"),
        reader.seconds("SYMPOZIUM_MODEL_IDLE_TIMEOUT_S", 30.0, low=0.1, high=3600),
        reader.choice("SYMPOZIUM_ATTACHMENTS", "no", ("yes", "no")) == "yes",
        reader.choice("SYMPOZIUM_LOG_LEVEL", "INFO", LOG_LEVELS),
    )
    reader.finish()
    return settings


@dataclass(frozen=True)
class Briefing:
    """What the bridge said first.

    Attributes:
        end: Where in the journal the next line begins.
    """

    context: RunContext
    end: int


async def read_context(layout: IpcLayout) -> Briefing | Failure:
    """Wait for what the bridge says first: the run's context, or why there is none."""
    async with follow(layout.to_agent) as lines:
        try:
            async with asyncio.timeout(CONTEXT_TIMEOUT_S):
                while line := await lines.next_line():
                    found = _read_first(line.data)
                    if isinstance(found, RunContext):
                        return Briefing(found, line.end)
                    if found is not None:
                        return found
        except TimeoutError:
            pass
    return Failure(
        reason=Reason.CONTEXT_UNAVAILABLE,
        detail=f"the bridge gave no context within {CONTEXT_TIMEOUT_S:g} s",
    )


def _read_first(data: bytes) -> RunContext | Failure | None:
    try:
        return decode(data, RunContext)
    except PermanentError:
        pass
    try:
        return decode(data, Failure)
    except PermanentError:
        return None  # a torn line of a bridge that was killed; it writes again


async def answer(briefing: Briefing, settings: Settings, journal: JournalWriter) -> None:
    """Answer one run, into *journal*: the last line is its Result or Failure."""
    context = briefing.context

    def say(event: RunEvent) -> None:
        journal.append(encode(event))

    reach(Point.AGENT_BRIEFED)
    say(Started())
    reach(Point.AGENT_AFTER_STARTED)
    outcome: Result | Failure
    try:
        if context.model.provider != PROVIDER:
            raise PermanentError(
                f"cannot use the provider {context.model.provider!r}: this agent speaks "
                f"{PROVIDER!r} only; change spec.model.provider"
            )
        async with (
            open_toolbox(context, settings.layout, can_attach=settings.can_attach) as toolbox,
            open_provider(
                settings.model_url, context.model.model, idle_timeout_s=settings.idle_timeout_s
            ) as provider,
        ):
            with closing(Inbox(context, settings.layout, offset=briefing.end)) as inbox:
                outcome = await Conversation(context, provider, toolbox, inbox, say).run()
    except PermanentError as error:
        outcome = Failure(reason=Reason.CONFIGURATION, detail=str(error))
    reach(Point.AGENT_BEFORE_END)
    say(outcome)
    reach(Point.AGENT_AFTER_END)
    reason = outcome.reason if isinstance(outcome, Failure) else ""
    log.info("run ended", extra={"action": "end", "run": context.run_name, "reason": reason})


async def run() -> None:
    """Answer the run of this pod."""
    _exit_when_told(EXIT_TERMINATED)
    heed_sigterm()
    settings = read_settings()
    logging.getLogger().setLevel(settings.log_level)
    with closing(JournalWriter(settings.layout.from_agent)) as journal:
        briefing = await read_context(settings.layout)
        if isinstance(briefing, Failure):
            journal.append(encode(briefing))
        else:
            await answer(briefing, settings, journal)
    _exit_when_told(0)
    # A kubelet starts a bridge that was killed again only while the agent is there.
    await until_ended(RecordedFile(settings.layout.recorded))


def _exit_when_told(code: int) -> None:
    """Have SIGTERM end this process; as pid 1 of a container it would otherwise ignore it.

    Every line is whole when its write returns, so there is nothing to clean up.
    """
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, code)


def main() -> None:
    """Run the agent of the pod that this process is in."""
    run_program("agent", run)


if __name__ == "__main__":
    main()
