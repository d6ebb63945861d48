"""The rehearsal of a bridge: it asks a stand-in for a model, and writes and reads journals."""

import asyncio
import tempfile
from contextlib import closing
from pathlib import Path

from sympozium.contract.envelope import decode, encode
from sympozium.contract.run_events import (
    ContextAnswer,
    Delta,
    Result,
    Started,
)
from sympozium_agent.follow import follow
from sympozium_agent.journal import JournalWriter
from sympozium_agent.model_proxy.server import CHAT_PATH, ModelProxy, serve_model
from sympozium_agent.model_proxy.upstream import Endpoint, open_upstream, prepare
from sympozium_agent.recorder import read_event
from sympozium_agent.rehearsal import CONTEXT, MODEL, ROUNDS, TIMEOUT_S, await_threads
from sympozium_agent.rehearsal.stand_in import stand_in

_BODY = b'{"model":"none"}'
_REQUEST = b"POST %b HTTP/1.1\r\nHost: bridge\r\nContent-Length: %d\r\n\r\n%b" % (
    CHAT_PATH.encode(),
    len(_BODY),
    _BODY,
)
_END = b"\r\n0\r\n\r\n"


async def warm_up() -> None:
    """Pass requests on, read and write journals; have a client ready for the first run.

    Leaves nothing else behind: no connection, no file, no thread.
    """
    async with asyncio.timeout(TIMEOUT_S), stand_in() as model_url:
        for _ in range(ROUNDS):
            await _pass_on(model_url)
            with tempfile.TemporaryDirectory() as folder:
                await _record(Path(folder, "out.jsonl"))
    await_threads()
    prepare()


async def _pass_on(model_url: str) -> None:
    async with (
        open_upstream(Endpoint(model_url, TIMEOUT_S)) as upstream,
        serve_model(ModelProxy(upstream, MODEL), 0) as port,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(writer):
            writer.write(_REQUEST)
            await reader.readuntil(_END)


async def _record(path: Path) -> None:
    with closing(JournalWriter(path)) as journal:
        said = (Started(), Delta(text="word", offset=0), Result(text="word"))
        for event in said:
            journal.append(encode(event))
        async with follow(path) as lines:
            for _ in said:
                line = await lines.next_line()
                assert line is not None  # noqa: S101 - it was written above
                read_event(line)
        journal.append(encode(decode(encode(ContextAnswer(context=CONTEXT)), ContextAnswer)))
