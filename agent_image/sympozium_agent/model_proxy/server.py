"""The proxy's HTTP side: two paths, one model, no credential in either direction."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import msgspec

from sympozium_agent.model_errors import BAD_ANSWER, error_body
from sympozium_agent.model_proxy.http import (
    ConnectionEndedError,
    Request,
    RequestRefusedError,
    ServerConnection,
)
from sympozium_agent.model_proxy.upstream import Upstream, UpstreamError, error_word

log = logging.getLogger(__name__)

MAX_CONCURRENT_CALLS = 4
"""The agent makes one call at a time; a run gone wild must not become a load on the endpoint."""

CHAT_PATH = "/v1/chat/completions"
MODELS_PATH = "/v1/models"
_PASSED_HEADERS = ("content-type", "content-encoding", "cache-control")
_encode = msgspec.json.Encoder().encode


class ModelProxy:
    """Answers the agent's requests from one upstream.

    Attributes:
        model: The only model that may be asked for.
    """

    def __init__(self, upstream: Upstream, model: str) -> None:
        self._upstream = upstream
        self.model = model
        self._free = MAX_CONCURRENT_CALLS

    async def serve_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer the requests of one connection until it ends."""
        connection = ServerConnection(reader, writer)
        try:
            while (request := await connection.next_request()) is not None:
                await self._answer(connection, request)
        except RequestRefusedError as error:
            await _refuse(connection, error)
        except ConnectionEndedError:
            connection.abort()
        finally:
            writer.close()

    async def _answer(self, connection: ServerConnection, request: Request) -> None:
        if (request.method, request.path) == ("GET", MODELS_PATH):
            entry = {"id": self.model, "object": "model", "created": 0, "owned_by": "sympozium"}
            await _answer_json(connection, 200, {"object": "list", "data": [entry]})
        elif (request.method, request.path) != ("POST", CHAT_PATH):
            await _answer_error(connection, 404, "there is nothing at this path", "not_found")
        elif self._free == 0:
            message = f"at most {MAX_CONCURRENT_CALLS} model calls at once"
            await _answer_error(connection, 429, message, "too_many_calls")
        else:
            self._free -= 1
            try:
                await self._complete(connection, request)
            finally:
                self._free += 1

    async def _complete(self, connection: ServerConnection, request: Request) -> None:
        body = read_body(request.body)
        if body is None:
            await _answer_error(connection, 400, "the body is no JSON object", "bad_request")
        elif not self._is_allowed(body):
            message = f"this run may use the model {self.model!r} only"
            await _answer_error(connection, 403, message, "model_not_allowed")
        else:
            accept = request.headers.get("accept", "")
            await self._pass_on(connection, _encode(body), accept if accept.isascii() else "")

    def _is_allowed(self, body: dict[str, msgspec.Raw]) -> bool:
        try:
            return msgspec.json.decode(body["model"], type=str) == self.model
        except (KeyError, msgspec.MsgspecError, UnicodeDecodeError):
            return False

    async def _pass_on(self, connection: ServerConnection, body: bytes, accept: str) -> None:
        is_started = False
        try:
            async with self._upstream.complete(body, accept or "*/*") as response:
                if not response.is_success:
                    await _answer_upstream_error(connection, response)
                    return
                is_started = True
                await _stream(connection, response)
        except UpstreamError as error:
            log.warning("model call broke", extra={"action": "fail", "cause": error.message})
            if is_started:
                raise ConnectionEndedError from error
            await _answer_error(connection, error.status, error.message, error.code)


def read_body(data: bytes) -> dict[str, msgspec.Raw] | None:
    """Return the fields of a JSON object, each once; None: *data* is none.

    A name that is there twice would mean one thing to us and another to the endpoint.
    """
    try:
        return msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


async def _stream(connection: ServerConnection, response: httpx2.Response) -> None:
    headers = [
        (name, response.headers[name]) for name in _PASSED_HEADERS if name in response.headers
    ]
    await connection.start_response(
        response.status_code, [*headers, ("transfer-encoding", "chunked")]
    )
    async for piece in response.aiter_raw():
        await connection.send_piece(piece)
    await connection.end_response()


async def _answer_upstream_error(connection: ServerConnection, response: httpx2.Response) -> None:
    status = response.status_code
    if status < 400:
        message = f"the model endpoint answered {status}, which is no answer; check its URL"
        await _answer_error(connection, 502, message, BAD_ANSWER)
        return
    word = await error_word(response) or f"upstream_{status}"
    log.warning(
        "model endpoint refused", extra={"action": "refuse", "status": status, "code": word}
    )
    headers = (
        [("retry-after", response.headers["retry-after"])]
        if "retry-after" in response.headers
        else []
    )
    message = f"the model endpoint answered {status}"
    await _answer_json(connection, status, error_body(message, word), headers)


async def _answer_error(connection: ServerConnection, status: int, message: str, code: str) -> None:
    await _answer_json(connection, status, error_body(message, code))


async def _answer_json(
    connection: ServerConnection,
    status: int,
    body: object,
    headers: list[tuple[str, str]] | None = None,
) -> None:
    data = _encode(body)
    head = [("content-type", "application/json"), ("content-length", str(len(data)))]
    await connection.start_response(status, [*head, *(headers or [])])
    await connection.send_piece(data)
    await connection.end_response()


async def _refuse(connection: ServerConnection, error: RequestRefusedError) -> None:
    try:
        body = _encode(error_body(error.message, "refused"))
        head = [("content-type", "application/json"), ("connection", "close")]
        head.append(("content-length", str(len(body))))
        await connection.start_response(error.status, head)
        await connection.send_piece(body)
    except ConnectionEndedError:
        connection.abort()


@asynccontextmanager
async def serve_model(proxy: ModelProxy, port: int) -> AsyncIterator[int]:
    """Serve *proxy* on 127.0.0.1 while the block lasts; yield the port (0 takes a free one)."""
    async with asyncio.TaskGroup() as group:
        connections: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = group.create_task(proxy.serve_connection(reader, writer))
            connections.add(task)
            task.add_done_callback(connections.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in connections:
                task.cancel()
