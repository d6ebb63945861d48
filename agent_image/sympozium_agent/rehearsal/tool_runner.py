"""The rehearsal of a tool sidecar: it reads the journals of calls and answers."""

import asyncio
import tempfile
from contextlib import closing
from pathlib import Path

from sympozium.contract.envelope import encode
from sympozium.contract.run_events import ToolCall
from sympozium_agent.follow import follow
from sympozium_agent.journal import JournalWriter
from sympozium_agent.rehearsal import ROUNDS, TIMEOUT_S, await_threads
from sympozium_agent.tool_runner import answered_calls, read_call


async def warm_up() -> None:
    """Wait for calls in a journal and read them; leaves nothing behind."""
    async with asyncio.timeout(TIMEOUT_S):
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                await _read(Path(folder, "calls.jsonl"))
    await_threads()


async def _read(path: Path) -> None:
    answered_calls(path)
    with closing(JournalWriter(path)) as journal:
        journal.append(encode(ToolCall(call_id="", tool="")))
        async with follow(path) as lines:
            line = await lines.next_line()
            assert line is not None  # noqa: S101 - it was written above
            read_call(line)
