"""What every run does, done before there is one, in a process from which containers are forked.

What Python does the first time (finding attributes, rewriting bytecode for the types it meets,
building codecs) it would do anew in each fork, and each page that it writes to is copied. A fork of
a parent that has rehearsed finds it done.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from typing_extensions import override

from sympozium.contract.envelope import decode, encode
from sympozium.contract.messages import Role
from sympozium.contract.names import RunName, RunUid
from sympozium.contract.run_events import (
    ContextAnswer,
    Delta,
    ModelAccess,
    Result,
    RunContext,
    RunEvent,
    ToolAnswer,
    ToolCall,
)
from sympozium_agent.journal import JournalReader, JournalWriter
from sympozium_agent.live_text import LiveText
from sympozium_agent.model_proxy.server import ModelProxy, serve_model
from sympozium_agent.model_proxy.upstream import Endpoint, open_upstream
from sympozium_agent.openai_provider import open_provider
from sympozium_agent.provider import OfferedTool, Said
from sympozium_agent.recorder import read_event
from sympozium_agent.skills.catalog import SKILLS

ROUNDS = 12
"""Python specializes a function's code after some eight calls. Source: PEP 659, of Python 3.11."""

TIMEOUT_S = 10.0
BETWEEN_WORDS_S = 0.0005
_MODEL = "none"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_CHUNK = b'data: {"choices":[{"delta":{"content":"word "}}]}\n\n'
_LAST = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


async def warm_up() -> None:
    """Ask a stand-in for a model through a real bridge, on loopback; write and read a journal.

    Leaves nothing behind: no connection, no file, no thread.
    """
    tools = [
        OfferedTool(tool.name, tool.description, tool.parameters())
        for skill in SKILLS
        for tool in skill.tools
    ]
    async with (
        asyncio.timeout(TIMEOUT_S),
        _stand_in() as endpoint,
        open_upstream(Endpoint(f"http://127.0.0.1:{endpoint}/v1", TIMEOUT_S)) as upstream,
        serve_model(ModelProxy(upstream, _MODEL), 0) as port,
    ):
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                await _answer(f"http://127.0.0.1:{port}/v1", tools, Path(folder, "out.jsonl"))


async def _answer(model_url: str, tools: list[OfferedTool], path: Path) -> None:
    with closing(JournalWriter(path)) as journal, closing(JournalReader(path)) as lines:
        live = LiveText(lambda delta: journal.append(encode(delta)))
        async with open_provider(model_url, _MODEL, idle_timeout_s=TIMEOUT_S) as provider:
            answer = await provider.ask([Said(Role.USER, "hello")], tools, live.add)
        live.finish()
        journal.append(encode(Result(text=answer.text, usage=answer.usage)))
        while line := lines.next_line():
            read_event(line)
    for value, kind in _SAMPLES:
        decode(encode(value), kind)


class _StandIn(asyncio.Protocol):
    """Answers whatever is asked with some words, one after the other."""

    _transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - it is TCP
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        if not data.endswith(b"}"):  # the end of a request is that of its JSON
            return
        self._transport.write(_HEAD)
        loop = asyncio.get_running_loop()
        for number, piece in enumerate((_CHUNK, _CHUNK, _CHUNK, _LAST, b"")):
            chunk = b"%x\r\n%b\r\n" % (len(piece), piece)
            loop.call_later(number * BETWEEN_WORDS_S, self._transport.write, chunk)


@asynccontextmanager
async def _stand_in() -> AsyncIterator[int]:
    """Serve a stand-in for a model; yield the port."""
    server = await asyncio.get_running_loop().create_server(_StandIn, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


_CONTEXT = RunContext(
    run_name=RunName("none"),
    run_uid=RunUid("none"),
    task="",
    model=ModelAccess(provider="openai", model=_MODEL),
)
_SAMPLES: tuple[tuple[object, Any], ...] = (
    (_CONTEXT, RunContext),
    (ContextAnswer(context=_CONTEXT), ContextAnswer),
    (Delta(text="", offset=0), RunEvent),
    (ToolCall(call_id="", tool=""), ToolCall),
    (ToolAnswer(call_id="", text=""), ToolAnswer),
)
