"""A case: requests in their order, and what came back of each, in names that servers share."""

import asyncio
import io
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.differential.normal import Normal
from tests.differential.server import Server

JSON = "application/json"
MERGE = "application/merge-patch+json"
PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
HEADERS = ("Content-Type", "Warning", "Retry-After")
REQUEST_TIMEOUT_S = 30.0
SETTLE_TIMEOUT_S = 60.0
LOOK_S = 0.02

Exchange = dict[str, Any]
Object = dict[str, Any]


class Watched:
    """The events of one open watch."""

    def __init__(self, content: aiohttp.StreamReader, events: list[Any], normal: Normal) -> None:
        self._content = content
        self._events = events
        self._normal = normal

    async def take(self, count: int) -> list[Any]:
        """Record the next *count* events; return them as they came."""
        raw: list[Any] = []
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            while len(raw) < count:
                line = await self._content.readline()
                if not line:
                    self._events.append("the server ended the watch")
                    break
                raw.append(json.loads(line))
                self._events.append(self._normal.value(raw[-1]))
        return raw


class Sitting:
    """One run of a case against one server, in a namespace of its own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.namespace = f"d-{secrets.token_hex(4)}"
        self.normal = Normal(self.namespace)
        self.exchanges: list[Exchange] = []

    def path(self, plural: str, api_version: str = "v1", *, namespace: str | None = None) -> str:
        """Return the path of a collection in the namespace of the case; "" is in none."""
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        where = self.namespace if namespace is None else namespace
        return f"{root}/namespaces/{where}/{plural}" if where else f"{root}/{plural}"

    async def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Mapping[str, str], Any]:
        """Send one request and return status, headers and answer, without recording."""
        data = None
        if body is not None:
            data = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
            headers.setdefault("Content-Type", JSON)
        session = self.server.stranger if "Authorization" in headers else self.server.session
        async with (
            asyncio.timeout(REQUEST_TIMEOUT_S),
            session.request(method, self.server.url + path, data=data, headers=headers) as response,
        ):
            raw = await response.read()
            many = {name: ", ".join(response.headers.getall(name, ())) for name in HEADERS}
            if response.content_type == JSON and raw:
                return response.status, many, json.loads(raw)
            return response.status, many, raw.decode()

    async def do(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send one request, record what came back, and return the answer as it was."""
        status, found, answer = await self.ask(method, path, body, **headers)
        self.note(f"{method} {path}", status, found, answer)
        return answer

    def note(self, request: str, status: int, headers: Mapping[str, str], answer: Any) -> None:
        """Record one exchange."""
        exchange: Exchange = {"request": self.normal.text(request), "status": status}
        kept = {name: value for name, value in headers.items() if value and value != JSON}
        if kept:
            exchange["headers"] = self.normal.value(kept)
        exchange["answer"] = self.normal.value(answer)
        self.exchanges.append(exchange)

    async def get(self, path: str, **headers: str) -> Any:
        return await self.do("GET", path, **headers)

    async def post(self, path: str, body: Any, **headers: str) -> Any:
        return await self.do("POST", path, body, **headers)

    async def put(self, path: str, body: Any, **headers: str) -> Any:
        return await self.do("PUT", path, body, **headers)

    async def patch(self, path: str, body: Any, kind: str = MERGE) -> Any:
        return await self.do("PATCH", path, body, **{"Content-Type": kind})

    async def apply(self, path: str, body: Any, manager: str, query: str = "") -> Any:
        return await self.patch(f"{path}?fieldManager={manager}{query}", body, APPLY)

    async def delete(self, path: str, body: Any = None) -> Any:
        return await self.do("DELETE", path, body)

    async def table(self, path: str) -> Any:
        return await self.do("GET", path, Accept=TABLE)

    def say(self, what: str, value: Any) -> None:
        """Record something that the case found out by itself."""
        what = self.normal.text(what)
        self.exchanges.append({"request": what, "answer": self.normal.value(value)})

    async def until(self, path: str, holds: Callable[[Any], Any]) -> Any:
        """Look until the answer is so, and record that one alone."""
        headers: Mapping[str, str] = {}
        status, answer = 0, None
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT_S):
                while True:
                    status, headers, answer = await self.ask("GET", path)
                    if holds(answer):
                        break
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise AssertionError(f"it never came to be; last seen: {answer}") from None
        self.note(f"until GET {path}", status, headers, answer)
        return answer

    async def pause(self) -> None:
        """Wait a moment before looking again."""
        await asyncio.sleep(LOOK_S)

    async def gone(self, path: str) -> None:
        """Wait until there is no such object."""
        await self.until(path, lambda answer: answer.get("code") == 404)

    @asynccontextmanager
    async def watching(self, path: str, query: str = "", **headers: str) -> AsyncIterator[Watched]:
        """Open a watch and record the events that are taken from it."""
        events: list[Any] = []
        self.exchanges.append(
            {"request": self.normal.text(f"WATCH {path}?{query}"), "events": events}
        )
        url = f"{self.server.url}{path}?watch=true{'&' if query else ''}{query}"
        async with self.server.session.get(url, headers=headers) as response:
            self.exchanges[-1]["status"] = response.status
            yield Watched(response.content, events, self.normal)


Play = Callable[[Sitting], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """What is asked, in its order."""

    name: str
    play: Play

    @property
    def topic(self) -> str:
        """Return the name of the recording that holds the case."""
        return self.name.partition(".")[0]


CASES: dict[str, Case] = {}
"""All cases by name, as the modules in `cases` define them."""


def case() -> Callable[[Play], Play]:
    """Make a function a case, named after its module, which is its topic, and itself."""

    def define(play: Play) -> Play:
        topic = play.__module__.rpartition(".")[2]
        name = f"{topic}.{getattr(play, '__name__', '')}"
        CASES[name] = Case(name, play)
        return play

    return define
