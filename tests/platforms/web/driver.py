"""The web channel is its own platform: its page, as a program that reads what the page reads."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from sympozium.chat.capabilities import Capabilities
from sympozium.chat.markup import Dialect, LengthUnit, Limit
from sympozium.chat.platform import Mark
from sympozium.testing.channels.driver import (
    Counts,
    Fault,
    Handed,
    Seen,
    Spot,
    Traits,
    Where,
)
from sympozium.testing.nats_server import free_port

PATIENCE_S = 20.0
RETRY_S = 0.1

CAPABILITIES = Capabilities(
    platform="web",
    dialect=Dialect.MARKDOWN,
    limit=Limit(512 * 1024, LengthUnit.BYTES),
    can_edit=False,
    can_mark=False,
    has_choices=False,
    has_private=False,
    max_file_bytes=0,
    max_pieces=1,
    signal_every_s=0.0,
    preview_every_s=0.0,
    per_chat=(),
    overall=(),
)

_EMPHASIS = re.compile(r"\*\*(.+?)\*\*")


@dataclass
class _Conversation:
    """What the page of one conversation shows: an answer for each message, growing or ended."""

    growing: dict[str, str] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)

    def apply(self, event: str, data: dict[str, str | int | dict[str, str]]) -> None:
        """Take in one event of the stream."""
        message = str(data["message_id"])
        if event == "delta" and message not in self.ended:
            before = self.growing.get(message, "")[: int(str(data["offset"]))]
            self.growing[message] = before + str(data["text"])
        elif event in {"final", "error"}:
            self.growing.pop(message, None)
            error = data.get("error")
            text = error["message"] if isinstance(error, dict) else data["text"]
            self.ended[message] = str(text)


class WebDriver:
    """One person at the page; whoever may open it is its owner."""

    capabilities = CAPABILITIES
    module = "sympozium_web"
    traits = Traits(
        spots=frozenset({Spot.DIRECT}),
        has_threads=False,
        can_edit=False,
        can_delete=False,
        has_files=False,
        has_commands=False,
    )

    def __init__(self, http: aiohttp.ClientSession, group: asyncio.TaskGroup) -> None:
        self._http = http
        self._group = group
        self._port = free_port()
        self._pages: dict[str, _Conversation] = {}
        self._reading: list[asyncio.Task[None]] = []
        self._said: dict[str, tuple[Where, str]] = {}
        self._change = asyncio.Event()
        self.counts = Counts()

    @property
    def env(self) -> dict[str, str]:
        """Environment of the channel's program."""
        return {"SYMPOZIUM_WEB_PORT": str(self._port)}

    def user_id(self, person: str) -> str:
        """Everybody at the page is its owner."""
        return "owner"

    def chat_id(self, where: Where) -> str:
        """Return the name of the conversation."""
        return where.name

    async def says(
        self,
        person: str,
        where: Where,
        text: str,
        *,
        mention: bool = False,
        files: Sequence[Handed] = (),
    ) -> str:
        """Send a message until it is accepted, under one id."""
        await self._open(where.name)
        said = uuid.uuid4().hex
        self._said[said] = (where, text)
        await self._post(said)
        self.counts.accepted.append(said)
        return said

    async def edits(self, message: str, text: str) -> None:
        """Nothing that was sent can be changed."""
        raise NotImplementedError

    async def deletes(self, message: str) -> None:
        """Nothing that was sent can be deleted."""
        raise NotImplementedError

    async def commands(self, person: str, where: Where, name: str, arguments: str = "") -> None:
        """Commands are written into the chat."""
        raise NotImplementedError

    async def presses(self, person: str, post: str, label: str) -> None:
        """Choices are written out."""
        raise NotImplementedError

    async def repeats(self, message: str, *, times: int) -> None:
        """Send a message again under its id."""
        for _ in range(times):
            await self._post(message)

    async def sends_nonsense(self) -> None:
        """Send what is no JSON."""
        url = f"{self._url}/api/conversations/nonsense/messages"
        headers = {"Content-Type": "application/json"}
        async with self._http.post(url, data=b"{nonsense", headers=headers) as answer:
            assert answer.status == 400

    async def cuts_connections(self) -> None:
        """Leave every page; each comes back by itself."""
        for reading in self._reading:
            reading.cancel()
        self._reading = [
            self._group.create_task(self._read(name, asyncio.Event())) for name in self._pages
        ]

    def seen(self, where: Where) -> list[Seen]:
        """Return the answers that the page of a conversation shows."""
        page = self._pages.get(where.name, _Conversation())
        return [_seen(key, text) for key, text in {**page.ended, **page.growing}.items()]

    def mark(self, message: str) -> Mark:
        """There are no reactions."""
        return Mark.NONE

    async def changed(self) -> None:
        """Return when a page has shown something new."""
        self._change.clear()
        await self._change.wait()

    def fail(self, fault: Fault, *, times: int = 1, retry_after_s: float = 1.0) -> None:
        """The page is the platform: it does not fail by itself."""

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def _post(self, said: str) -> None:
        where, text = self._said[said]
        url = f"{self._url}/api/conversations/{where.name}/messages"
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    async with self._http.post(url, json={"text": text, "id": said}) as answer:
                        if answer.status == 202:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(RETRY_S)

    async def _open(self, name: str) -> None:
        if name not in self._pages:
            self._pages[name] = _Conversation()
            opened = asyncio.Event()
            self._reading.append(self._group.create_task(self._read(name, opened)))
            await opened.wait()

    async def _read(self, name: str, opened: asyncio.Event) -> None:
        """Follow a conversation as the page does: open the stream, then read the transcript."""
        url = f"{self._url}/api/conversations/{name}"
        while True:
            try:
                async with self._http.get(f"{url}/events") as stream:
                    async with self._http.get(f"{url}/messages") as answer:
                        self._read_transcript(name, await answer.json())
                    opened.set()
                    await self._follow(name, stream)
            except (aiohttp.ClientError, KeyError, ConnectionError):
                pass
            await asyncio.sleep(RETRY_S)

    def _read_transcript(self, name: str, answer: dict[str, list[dict[str, str]]]) -> None:
        for entry in answer["messages"]:
            if entry["role"] == "assistant":
                kind = "error" if entry["error"] else "final"
                self._pages[name].apply(
                    kind,
                    {
                        "message_id": entry["in_reply_to"],
                        "text": entry["text"],
                        "error": entry["error"],
                    },
                )
        self._change.set()

    async def _follow(self, name: str, stream: aiohttp.ClientResponse) -> None:
        event = ""
        async for raw in stream.content:
            line = raw.decode().rstrip("\n")
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: "):
                self._pages[name].apply(event, json.loads(line.removeprefix("data: ")))
                self._change.set()


def _seen(key: str, text: str) -> Seen:
    read = _EMPHASIS.sub(r"\1", text)
    return Seen(
        id=key, text=read.replace("```python\n", "").replace("```", ""), has_markup=read != text
    )


@asynccontextmanager
async def make_driver() -> AsyncIterator[WebDriver]:
    """Yield a person at the page of a channel that is still to be started."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=2)
    async with aiohttp.ClientSession(timeout=timeout) as http, asyncio.TaskGroup() as group:
        driver = WebDriver(http, group)
        yield driver
        for reading in driver._reading:
            reading.cancel()
