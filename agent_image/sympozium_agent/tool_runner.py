"""The tool sidecar of a skill: runs the calls of the agent with the rights of the skill.

It alone holds the skill's token, and it alone decides whether a tool may run: what the
agent or its model believes does not matter here.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError
from sympozium.contract.run_events import ToolAnswer, ToolCall
from sympozium.runtime.program import run_program
from sympozium.runtime.reach import reach
from sympozium.runtime.settings import LOG_LEVELS, Reader
from sympozium.runtime.sync_points import Point
from sympozium_agent import heed_sigterm
from sympozium_agent.follow import follow
from sympozium_agent.journal import JournalReader, JournalWriter, Line
from sympozium_agent.layout import DEFAULT_IPC_DIR, IpcLayout
from sympozium_agent.skills.catalog import SKILLS
from sympozium_agent.skills.cluster_reader import HANDLERS, Cluster
from sympozium_agent.skills.kube_api import ApiServer, ToolFailedError
from sympozium_agent.skills.manifest import Skill, ToolGate, find_skill
from sympozium_agent.skills.table import bounded

log = logging.getLogger(__name__)

MAX_CALL_ID_CHARS = 200
"""It goes into the answer, which must fit a line."""

SERVICE_ACCOUNT_DIR = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Settings:
    """What the sidecar is told by its environment."""

    skill: Skill
    gate: ToolGate
    layout: IpcLayout
    cluster: Cluster
    log_level: str


def read_settings() -> Settings:
    """Read the environment.

    Raises:
        PermanentError: Something in it is missing or wrong.
    """
    reader = Reader()
    account = reader.path("SYMPOZIUM_SERVICE_ACCOUNT_DIR", SERVICE_ACCOUNT_DIR)
    pack = reader.text("SYMPOZIUM_SKILL")
    api = ApiServer(
        reader.text("KUBERNETES_SERVICE_HOST"),
        reader.number("KUBERNETES_SERVICE_PORT", 443, low=1, high=65535),
        account / "ca.crt",
        account / "token",
    )
    namespace = reader.text("SYMPOZIUM_NAMESPACE")
    layout = IpcLayout(reader.path("SYMPOZIUM_IPC_DIR", DEFAULT_IPC_DIR))
    log_level = reader.choice("SYMPOZIUM_LOG_LEVEL", "INFO", LOG_LEVELS)
    reader.finish()
    cluster = Cluster(api, namespace, lambda: datetime.now(UTC))
    return Settings(find_skill(pack, SKILLS), _read_gate(), layout, cluster, log_level)


def _read_gate() -> ToolGate:
    # An empty list of allowed tools allows none; only an absent one allows all.
    allow = os.environ.get("SYMPOZIUM_TOOLS_ALLOW")
    deny = os.environ.get("SYMPOZIUM_TOOLS_DENY", "")
    return ToolGate(None if allow is None else _names(allow), _names(deny))


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())


class ToolRunner:
    """Runs the tools of one skill, those that may run."""

    def __init__(
        self,
        skill: Skill,
        gate: ToolGate,
        handlers: dict[str, Callable[[Cluster, Any], str]],
        cluster: Cluster,
    ) -> None:
        self._tools = {tool.name: tool for tool in skill.tools}
        self._gate = gate
        self._handlers = handlers
        self._cluster = cluster

    def answer(self, call: ToolCall) -> ToolAnswer:
        """Return what came of *call*; whatever goes wrong is told to the model."""
        try:
            text = bounded(self._run(call))
        except ToolFailedError as error:
            return ToolAnswer(call_id=call.call_id, text=str(error), failed=True)
        except Exception:  # a bug in one tool must not leave its caller waiting
            log.exception("tool bug", extra={"action": "fail", "call": call.call_id})
            text = "the tool failed because of an error in it"
            return ToolAnswer(call_id=call.call_id, text=text, failed=True)
        return ToolAnswer(call_id=call.call_id, text=text)

    def _run(self, call: ToolCall) -> str:
        tool = self._tools.get(call.tool)
        if tool is None:
            raise ToolFailedError(f"there is no tool {call.tool!r} in this skill")
        if not self._gate.lets_pass(call.tool):
            raise ToolFailedError(self._gate.refusal(call.tool))
        try:
            arguments = msgspec.json.decode(encode(call.arguments), type=tool.arguments)
        except msgspec.MsgspecError as error:
            raise ToolFailedError(f"cannot run {call.tool}: {error}") from error
        return self._handlers[call.tool](self._cluster, arguments)


async def serve_calls(runner: ToolRunner, calls: Path, answers: Path) -> None:
    """Answer each call of the journal *calls* once, in the journal *answers*, for ever.

    After a restart, calls that have no answer yet are run again, and no others.
    """
    answered = answered_calls(answers)
    with closing(JournalWriter(answers)) as journal:
        async with follow(calls) as lines:
            while line := await lines.next_line():
                call = read_call(line)
                if call is None or call.call_id in answered:
                    continue
                answer = await asyncio.to_thread(runner.answer, call)
                reach(Point.TOOL_BEFORE_ANSWER)
                journal.append(encode(answer))
                reach(Point.TOOL_AFTER_ANSWER)
                answered.add(call.call_id)
                state = "fail" if answer.failed else "done"
                log.info("tool call answered", extra={"action": state, "call": call.call_id})


def answered_calls(answers: Path) -> set[str]:
    """Return the ids of the calls that have an answer in the journal *answers*."""
    found: set[str] = set()
    with closing(JournalReader(answers)) as reader:
        while line := reader.next_line():
            try:
                found.add(decode(line.data, ToolAnswer).call_id)
            except PermanentError:
                continue  # torn when an earlier sidecar was killed: its call is run again
    return found


def read_call(line: Line) -> ToolCall | None:
    """Return the call in *line*; None, and a warning, where there is none."""
    try:
        call = decode(line.data, ToolCall)
    except PermanentError:
        call = None
    if call is None or len(call.call_id) > MAX_CALL_ID_CHARS:
        extra = {"action": "refuse", "offset": line.offset}
        log.warning("journal line is no tool call", extra=extra)
        return None
    return call


async def run() -> None:
    """Serve the calls of this pod's agent until the kubelet ends it."""
    # A tool may be in the middle of a request, in a thread; nothing of it needs cleaning up.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)
    heed_sigterm()
    settings = read_settings()
    logging.getLogger().setLevel(settings.log_level)
    runner = ToolRunner(settings.skill, settings.gate, HANDLERS, settings.cluster)
    pack = settings.skill.pack
    calls, answers = settings.layout.tool_calls(pack), settings.layout.tool_answers(pack)
    calls.parent.mkdir(parents=True, exist_ok=True)
    await serve_calls(runner, calls, answers)


def main() -> None:
    """Run the tool sidecar of the pod that this process is in."""
    run_program("tool-runner", run)


if __name__ == "__main__":
    main()
