"""A server that is sent one hostile request after the other, and good ones between them."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from tests.fixtures.sockets import bare_connection
from tests.fuzz.requests import Sent

AT_ONCE = 8
GOOD_EVERY = 100

PATIENCE_S = 40.0
"""For an answer, or the end of the connection: beyond every deadline that our servers have."""

QUIET_S = 0.3
"""How long a request without an end is left as it is; then the client has nothing more to say."""


@dataclass(frozen=True)
class Answer:
    """What a server says."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Door:
    """Where a server listens."""

    port: int
    tls: ssl.SSLContext | None = None
    name: str = ""


@dataclass
class Siege:
    """Sends requests to one server, and looks at every answer.

    Attributes:
        judge: Raises where an answer, with its body, is not of the documented form.
        good: Has a good request answered, to its end.
        answers: How many there were of each status; 0: the connection ended without one.
    """

    door: Door
    judge: Callable[[Answer], None]
    good: Callable[[], Awaitable[None]]
    answers: Counter[int] = field(default_factory=Counter)

    async def lay(self, requests: Iterable[Sent]) -> None:
        """Send all of *requests*, some at once.

        Raises:
            AssertionError: One is answered wrongly, or is neither answered nor ended.
        """
        left = iter(requests)
        while some := list(islice(left, GOOD_EVERY)):
            queue = iter(some)
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(self._send(queue))
            await self.good()

    async def _send(self, queue: Iterator[Sent]) -> None:
        for sent in queue:
            answer = await answer_to(self.door, sent)
            self.answers[0 if answer is None else answer.status] += 1
            if answer is not None:
                try:
                    require_no_bug(answer)
                    if not sent.has_answer_without_body:
                        self.judge(answer)
                except (AssertionError, LookupError, ValueError) as error:
                    error.add_note(f"{answer} to {sent.data[:2000]!r}")
                    raise


def require_no_bug(answer: Answer) -> None:
    """Check that an answer blames the request, or says when to come again."""
    is_busy = answer.status == 503 and "retry-after" in answer.headers
    assert 200 <= answer.status < 500 or is_busy


async def answer_to(door: Door, sent: Sent) -> Answer | None:
    """Return what a server answers; None: it ended the connection.

    Raises:
        AssertionError: It does neither.
    """
    try:
        async with (
            asyncio.timeout(PATIENCE_S),
            bare_connection(door.port, tls=door.tls, server_name=door.name) as (reader, writer),
        ):
            with suppress(ConnectionError):
                writer.write(sent.data)
                await writer.drain()
            return await _answer(reader, writer, sent)
    except TimeoutError:
        raise AssertionError(f"neither answered nor ended: {sent.data[:2000]!r}") from None


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: Sent
) -> Answer | None:
    try:
        head = await _head(reader, writer, sent)
        if head is None:
            return None
        lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines[1:] if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        body = b""
        if not sent.has_answer_without_body:
            body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return Answer(int(lines[0].split()[1]), headers, body)


async def _head(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: Sent
) -> bytes | None:
    """Return the head of an answer; None: we ended the connection, in which nobody has a say."""
    if not sent.is_whole:
        try:
            async with asyncio.timeout(QUIET_S):
                return await _next_head(reader)
        except TimeoutError:
            if not writer.can_write_eof():
                return None
            with suppress(ConnectionError):
                writer.write_eof()
    return await _next_head(reader)


async def _next_head(reader: asyncio.StreamReader) -> bytes:
    while (head := await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].startswith(b"1"):
        pass  # "continue"
    return head
