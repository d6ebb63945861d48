"""A model behind the OpenAI chat-completions protocol, spoken to through the bridge.

The protocol's own library is not used: it defines a class for everything that its maker
offers, and importing them took longer than all else between a pod's start and its first word.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from sympozium.contract.limits import MAX_RESULT_BYTES
from sympozium.contract.run_events import Usage
from sympozium_agent.lean_imports import unused_hidden
from sympozium_agent.model_errors import PROXY_TROUBLES
from sympozium_agent.provider import (
    Answer,
    ModelCallError,
    OfferedTool,
    Said,
    System,
    ToolRequest,
    ToolResult,
    ToolsRequested,
    Trouble,
    Turn,
)

with unused_hidden():
    import httpcore2  # noqa: F401 - loaded with the first client otherwise, in every container
    import httpx2

CONNECT_TIMEOUT_S = 5.0
WRITE_TIMEOUT_S = 10.0

_MAX_ERROR_BYTES = 64 * 1024
_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "text/event-stream",
    "Accept-Encoding": "identity",
}
_END = b"[DONE]"

_ahead: list[httpx2.AsyncClient] = []
"""A client that nobody has used yet, in a process from which agents are forked."""


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_ToolCall] | None = None
    reasoning: object = None
    reasoning_content: object = None

    @property
    def says_something(self) -> bool:
        """Whether the model got on; what it thinks is left out and counts all the same."""
        return bool(self.content or self.tool_calls or self.reasoning or self.reasoning_content)


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Chunk(msgspec.Struct):
    """The part of a streamed chunk that matters."""

    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: object = None


class _ErrorDetail(msgspec.Struct):
    code: object = None


class _ErrorBody(msgspec.Struct):
    error: _ErrorDetail


_read_error = msgspec.json.Decoder(_ErrorBody).decode


class OpenAIProvider:
    """Asks one model. Made by `open_provider`."""

    def __init__(
        self, client: httpx2.AsyncClient, base_url: str, model: str, idle_timeout_s: float
    ) -> None:
        self._client = client
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._model = model
        self._idle_timeout_s = idle_timeout_s

    async def ask(
        self,
        turns: Sequence[Turn],
        tools: Sequence[OfferedTool],
        on_text: Callable[[str], None],
    ) -> Answer:
        """Return the model's next turn; see `Provider.ask`."""
        body = msgspec.json.encode(self._request(turns, tools))
        request = self._client.build_request("POST", self._url, content=body, headers=_HEADERS)
        try:
            response = await self._client.send(request, stream=True)
        except httpx2.TransportError as error:
            raise _translated(error, Trouble.DOOR_CLOSED) from error
        gathered = _Gathered(on_text)
        try:
            await self._gather(response, gathered)
        except TimeoutError:
            raise ModelCallError(Trouble.SILENT, "it said nothing for too long") from None
        except httpx2.TransportError as error:
            raise _translated(error, Trouble.UNREACHABLE) from error
        except (ValueError, RecursionError, httpx2.DecodingError):  # its content stays out
            raise ModelCallError(
                Trouble.BAD_ANSWER, "it streamed something that is no chunk of an answer"
            ) from None
        finally:
            await response.aclose()
        return gathered.answer()

    async def _gather(self, response: httpx2.Response, gathered: "_Gathered") -> None:
        """Take in a response; one that sends signs of life and no token is silent all the same."""
        async with asyncio.timeout(self._idle_timeout_s) as patience:
            if not response.is_success:
                raise await _status_error(response)
            async for data in _events(response):
                chunk = msgspec.convert(json.loads(data), _Chunk)
                if chunk.error:
                    raise ModelCallError(
                        Trouble.OVERLOADED, "it reported an error in the middle of its answer"
                    )
                if gathered.add(chunk):
                    now = asyncio.get_running_loop().time()
                    patience.reschedule(now + self._idle_timeout_s)
                if gathered.is_too_long:
                    break

    def _request(self, turns: Sequence[Turn], tools: Sequence[OfferedTool]) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self._model,
            "messages": [_message(turn) for turn in turns],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if tools:
            request["tools"] = [_tool(tool) for tool in tools]
        return request


class _Gathered:
    """The pieces of one streamed answer."""

    def __init__(self, on_text: Callable[[str], None]) -> None:
        self._on_text = on_text
        self._texts: list[str] = []
        self._chars = 0
        self._call_chars = 0
        self._calls: dict[int, list[str]] = {}
        self._finish_reason = ""
        self._usage = Usage()

    @property
    def is_too_long(self) -> bool:
        """Whether the text or the calls alone are more than a run may answer."""
        return max(self._chars, self._call_chars) > MAX_RESULT_BYTES

    def add(self, chunk: _Chunk) -> bool:
        """Take in *chunk* and return whether there was something in it."""
        if chunk.usage is not None:
            self._usage = Usage(
                input_tokens=chunk.usage.prompt_tokens or 0,
                output_tokens=chunk.usage.completion_tokens or 0,
            )
        for choice in (chunk.choices or ())[:1]:
            self._finish_reason = choice.finish_reason or self._finish_reason
            delta = choice.delta or _Delta()
            if delta.content:
                self._add_text(delta.content)
            for call in delta.tool_calls or ():
                self._add_call(call)
            return bool(choice.finish_reason) or delta.says_something
        return chunk.usage is not None

    def _add_text(self, text: str) -> None:
        # Half of a surrogate pair is valid JSON and no valid text.
        text = text.encode(errors="replace").decode()
        self._texts.append(text)
        self._chars += len(text)
        self._on_text(text)

    def _add_call(self, piece: _ToolCall) -> None:
        index = piece.index
        if index is None:  # some endpoints send whole calls without numbering them
            index = len(self._calls) - (0 if piece.id or not self._calls else 1)
        call = self._calls.setdefault(index, ["", "", ""])
        function = piece.function or _Function()
        self._call_chars += 1 + len(function.arguments or "")
        call[0] = call[0] or piece.id or ""
        call[1] = call[1] or function.name or ""
        call[2] += function.arguments or ""

    def answer(self) -> Answer:
        """Return what was gathered.

        Raises:
            ModelCallError: The stream ended early, there is nothing in it, or calls without end.
        """
        if self._call_chars > MAX_RESULT_BYTES:
            raise ModelCallError(Trouble.BAD_ANSWER, "its tool calls come to no end")
        if not self._finish_reason and not self.is_too_long:
            raise ModelCallError(Trouble.BAD_ANSWER, "its stream ended before the answer did")
        requests = tuple(
            ToolRequest(id or f"call_{index}", name, arguments)
            for index, (id, name, arguments) in sorted(self._calls.items())
            if name
        )
        text = "".join(self._texts)
        if not requests and not text.strip():
            raise ModelCallError(
                Trouble.BAD_ANSWER, f"it was empty (finish reason {self._finish_reason!r})"
            )
        return Answer(text, requests, self._usage)


@asynccontextmanager
async def open_provider(
    base_url: str,
    model: str,
    *,
    idle_timeout_s: float,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> AsyncIterator[OpenAIProvider]:
    """Yield a provider for *model* at *base_url*.

    No credential is sent and no retry is made here: the bridge adds the one, the loop
    decides about the other. The connection ignores proxies: it goes to the bridge.

    Args:
        base_url: With its `/v1`.
        model: As the endpoint calls it.
        idle_timeout_s: How long the endpoint may send nothing.
        transport: In place of the network.
    """
    client = _ahead.pop() if _ahead and transport is None else _new_client(transport)
    client.timeout = httpx2.Timeout(
        idle_timeout_s, connect=CONNECT_TIMEOUT_S, write=WRITE_TIMEOUT_S, pool=CONNECT_TIMEOUT_S
    )
    async with client:
        yield OpenAIProvider(client, base_url, model, idle_timeout_s)


def prepare() -> None:
    """Have a client ready for the next provider of this process, or of one forked from it."""
    if not _ahead:
        _ahead.append(_new_client())


def _new_client(transport: httpx2.AsyncBaseTransport | None = None) -> httpx2.AsyncClient:
    # Loading the trusted certificates takes longer than all the rest here, and the bridge is
    # reached without TLS. With this context, any other address would be refused.
    no_authorities = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx2.AsyncClient(trust_env=False, verify=no_authorities, transport=transport)


async def _events(response: httpx2.Response) -> AsyncIterator[bytes]:
    """Yield the data of the server-sent events of a response, until its end or their last.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
    """
    data: list[bytes] = []
    async for line in _lines(response):
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            event, data = b"\n".join(data), []
            if event.startswith(_END):
                return
            yield event


async def _lines(response: httpx2.Response) -> AsyncIterator[bytes]:
    """Yield the lines of a response without their ends; what follows the last end is left out."""
    pieces: list[bytes] = []
    async for piece in response.aiter_bytes():
        *whole, rest = piece.split(b"\n")
        for line in whole:
            yield b"".join([*pieces, line]).removesuffix(b"\r")
            pieces = []
        pieces.append(rest)


def _message(turn: Turn) -> dict[str, Any]:
    match turn:
        case System():
            return {"role": "system", "content": turn.text}
        case Said():
            return {"role": turn.role.value, "content": _content(turn)}
        case ToolsRequested():
            calls = [
                {
                    "id": request.id,
                    "type": "function",
                    "function": {"name": request.tool, "arguments": request.arguments},
                }
                for request in turn.requests
            ]
            return {"role": "assistant", "content": turn.text or None, "tool_calls": calls}
        case ToolResult():
            return {"role": "tool", "tool_call_id": turn.request_id, "content": turn.text}


def _content(turn: Said) -> str | list[dict[str, Any]]:
    if not turn.images:
        return turn.text
    parts: list[dict[str, Any]] = [{"type": "text", "text": turn.text}] if turn.text else []
    for image in turn.images:
        url = f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"
        parts.append({"type": "image_url", "image_url": {"url": url}})
    return parts


def _tool(tool: OfferedTool) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }
    return {"type": "function", "function": function}


def _translated(error: httpx2.TransportError, lost: Trouble) -> ModelCallError:
    """Say what *error* means, without its text; a lost connection means *lost*."""
    if isinstance(error, httpx2.TimeoutException):
        return ModelCallError(Trouble.SILENT, "it sent nothing for too long")
    return ModelCallError(lost, "the connection was refused or broke")


async def _status_error(response: httpx2.Response) -> ModelCallError:
    status, code = response.status_code, await _error_code(response)
    cause = f"it answered {status}" + (f" ({code})" if code else "")
    if code in PROXY_TROUBLES:
        return ModelCallError(PROXY_TROUBLES[code], cause)
    if status in {408, 429} or status >= 500:
        after_s = _seconds(response.headers.get("Retry-After"))
        return ModelCallError(Trouble.OVERLOADED, cause, retry_after_s=after_s)
    return ModelCallError(Trouble.REFUSED, cause)


async def _error_code(response: httpx2.Response) -> str:
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _MAX_ERROR_BYTES:
            return ""
    try:
        code = _read_error(body).error.code
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return code if isinstance(code, str) else ""


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
