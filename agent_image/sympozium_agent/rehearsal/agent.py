"""The rehearsal of an agent: it asks a stand-in for a model, and writes and reads journals."""

import asyncio
import tempfile
from contextlib import closing
from pathlib import Path

from sympozium.contract.envelope import decode, encode
from sympozium.contract.messages import Role
from sympozium.contract.run_events import Result, RunContext, ToolAnswer, ToolCall
from sympozium_agent.follow import follow
from sympozium_agent.journal import JournalWriter
from sympozium_agent.live_text import LiveText
from sympozium_agent.openai_provider import open_provider, prepare
from sympozium_agent.provider import OfferedTool, Said
from sympozium_agent.rehearsal import CONTEXT, MODEL, ROUNDS, TIMEOUT_S, await_threads
from sympozium_agent.rehearsal.stand_in import stand_in
from sympozium_agent.skills.catalog import SKILLS


async def warm_up() -> None:
    """Ask a stand-in for a model, read and write journals; have a client ready for the first run.

    Leaves nothing else behind: no connection, no file, no thread.
    """
    tools = [
        OfferedTool(tool.name, tool.description, tool.parameters())
        for skill in SKILLS
        for tool in skill.tools
    ]
    async with asyncio.timeout(TIMEOUT_S), stand_in() as model_url:
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                await _answer(model_url, tools, Path(folder, "journal.jsonl"))
    await_threads()
    prepare()


async def _answer(model_url: str, tools: list[OfferedTool], path: Path) -> None:
    with closing(JournalWriter(path)) as journal:
        live = LiveText(lambda delta: journal.append(encode(delta)))
        journal.append(encode(CONTEXT))
        async with follow(path) as lines:
            line = await lines.next_line()
        assert line is not None  # noqa: S101 - it was written above
        decode(line.data, RunContext)
        async with open_provider(model_url, MODEL, idle_timeout_s=TIMEOUT_S) as provider:
            answer = await provider.ask([Said(Role.USER, "hello")], tools, live.add)
        live.finish()
        journal.append(encode(Result(text=answer.text, usage=answer.usage)))
    encode(ToolCall(call_id="", tool=""))
    decode(encode(ToolAnswer(call_id="", text="")), ToolAnswer)
