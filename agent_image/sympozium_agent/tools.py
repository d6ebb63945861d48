"""Calling tools: what a run offers to its model, and the way to the sidecars that run them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError
from sympozium.contract.run_events import RunContext, ToolAnswer, ToolCall
from sympozium_agent.attach_tool import ATTACH_FILE, Attachments
from sympozium_agent.follow import Follower, follow
from sympozium_agent.journal import JournalWriter, Line
from sympozium_agent.layout import IpcLayout
from sympozium_agent.provider import OfferedTool
from sympozium_agent.skills.catalog import SKILLS
from sympozium_agent.skills.manifest import DENIED, Skill, ToolGate, find_skill

CALL_TIMEOUT_S = 60.0
"""How long a tool may take before the model is told that it did not answer."""

LOST = ToolAnswer(call_id="", text="the tool's answer was too long and is lost", failed=True)


class ToolHost(Protocol):
    """Where a tool runs."""

    async def call(self, call: ToolCall) -> ToolAnswer:
        """Run a tool; what goes wrong is said in the answer."""


class Sidecar:
    """The tool sidecar of one skill. One call at a time."""

    def __init__(self, calls: JournalWriter, answers: Follower) -> None:
        self._calls = calls
        self._answers = answers

    async def call(self, call: ToolCall) -> ToolAnswer:
        """Have the sidecar run a tool; an answer that does not come in time is a failed one."""
        self._calls.append(encode(call))
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                while True:
                    line = await self._answers.next_line()
                    answer = LOST if line is None else _read_answer(line)
                    if answer is LOST or (answer and answer.call_id == call.call_id):
                        return answer
        except TimeoutError:
            text = f"the tool did not answer within {CALL_TIMEOUT_S:g} s"
            return ToolAnswer(call_id=call.call_id, text=text, failed=True)


def _read_answer(line: Line) -> ToolAnswer | None:
    if line.is_too_long:
        return LOST
    try:
        return decode(line.data, ToolAnswer)
    except PermanentError:
        return None  # a torn line of a sidecar that was killed; it answers again


@dataclass(frozen=True)
class Toolbox:
    """The tools of one run."""

    offered: Sequence[OfferedTool]
    gate: ToolGate
    hosts: Mapping[str, ToolHost]
    """By the name of each tool that this run has, allowed or not."""
    attachments: Attachments

    async def call(self, call: ToolCall) -> ToolAnswer:
        """Run a tool, or say why it does not run."""
        host = self.hosts.get(call.tool)
        if host is None:
            known = ", ".join(tool.name for tool in self.offered) or "none"
            text = f"there is no tool {call.tool!r}; this run has: {known}"
            return ToolAnswer(call_id=call.call_id, text=text, failed=True)
        if not self.gate.lets_pass(call.tool):
            text = self.gate.refusal(call.tool)
            return ToolAnswer(call_id=call.call_id, text=text, failed=True)
        return await host.call(call)


def progress_state(answer: ToolAnswer) -> str:
    """Return the state of a Progress line for a call that was answered so."""
    if not answer.failed:
        return "done"
    return "denied" if answer.text.startswith(DENIED) else "failed"


@asynccontextmanager
async def open_toolbox(
    context: RunContext, layout: IpcLayout, *, can_attach: bool = False
) -> AsyncIterator[Toolbox]:
    """Yield the tools of a run, connected to their sidecars.

    Where *can_attach*, the model may send files along with its answer.

    Raises:
        PermanentError: The run has a skill that this image does not hold.
    """
    skills = [find_skill(pack, SKILLS) for pack in context.skills]
    allow = None if context.allowed_tools is None else frozenset(context.allowed_tools)
    gate = ToolGate(allow, frozenset(context.denied_tools))
    specs = [tool for skill in skills for tool in skill.tools]
    attachments = Attachments(layout.outgoing_files)
    async with AsyncExitStack() as stack:
        hosts: dict[str, ToolHost] = {}
        for skill in skills:
            sidecar = await stack.enter_async_context(_open_sidecar(skill, layout))
            hosts |= dict.fromkeys((tool.name for tool in skill.tools), sidecar)
        if can_attach:
            specs.append(ATTACH_FILE)
            hosts[ATTACH_FILE.name] = attachments
        offered = tuple(
            OfferedTool(tool.name, tool.description, tool.parameters())
            for tool in specs
            if gate.lets_pass(tool.name)
        )
        yield Toolbox(offered, gate, hosts, attachments)


@asynccontextmanager
async def _open_sidecar(skill: Skill, layout: IpcLayout) -> AsyncIterator[Sidecar]:
    path = layout.tool_calls(skill.pack)
    path.parent.mkdir(parents=True, exist_ok=True)
    calls = JournalWriter(path)
    try:
        async with follow(layout.tool_answers(skill.pack)) as answers:
            yield Sidecar(calls, answers)
    finally:
        calls.close()
