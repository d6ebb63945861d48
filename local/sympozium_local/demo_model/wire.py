"""What a chat-completions client sends, and the chunks and objects it gets back."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

MODEL = "demo"
"""The name under which `/v1/models` lists this model."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a message's content; only text has any."""

    text: str = ""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the conversation so far."""

    role: str
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """The content as one text."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """What is offered of a tool; the demonstration needs its name alone."""

    name: str


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool on offer."""

    function: Function


class StreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a streaming client wants besides the text."""

    include_usage: bool = False


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /v1/chat/completions`; fields that do not matter here are not read."""

    model: str
    messages: list[Message]
    stream: bool = False
    stream_options: StreamOptions | None = None
    tools: list[Tool] = []

    @property
    def tool_names(self) -> set[str]:
        """Names of the tools on offer."""
        return {tool.function.name for tool in self.tools}

    @property
    def last_user_text(self) -> str:
        """What the person said last, or "" where nobody said anything."""
        texts = (m.text for m in reversed(self.messages) if m.role == "user")
        return next(texts, "")


@dataclass(frozen=True)
class Say:
    """Answer with a text."""

    text: str


@dataclass(frozen=True)
class CallTool:
    """Ask for a tool. *arguments* is JSON, or what a broken model takes for it."""

    name: str
    arguments: str


Action = Say | CallTool


def tokens(text: str) -> list[str]:
    """Cut *text* into pieces that join back to it, a word each."""
    return re.findall(r"\s*\S+|\s+$", text)


def completion(request: Request, action: Action, number: int) -> dict[str, Any]:
    """Return the whole answer as one object."""
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if isinstance(action, Say):
        message["content"] = action.text
    else:
        message["tool_calls"] = [_tool_call(action, number)]
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(action)}
    head = _head(request, number, "chat.completion")
    return head | {"choices": [choice], "usage": usage(request, action)}


def chunks(request: Request, action: Action, number: int) -> Iterator[dict[str, Any]]:
    """Yield the answer piece by piece, the finish reason last, and the usage where it is wanted."""
    head = _head(request, number, "chat.completion.chunk")

    def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        return head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}

    if isinstance(action, Say):
        yield chunk({"role": "assistant", "content": ""})
        for token in tokens(action.text):
            yield chunk({"content": token})
    else:
        call = _tool_call(action, number)
        yield chunk({"role": "assistant", "tool_calls": [call | {"index": 0}]})
    yield chunk({}, _finish_reason(action))
    if request.stream_options is not None and request.stream_options.include_usage:
        yield head | {"choices": [], "usage": usage(request, action)}


def usage(request: Request, action: Action) -> dict[str, int]:
    """Count words as if they were tokens."""
    asked = sum(len(tokens(message.text)) for message in request.messages)
    answered = len(tokens(action.text if isinstance(action, Say) else action.arguments))
    return {
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "total_tokens": asked + answered,
    }


def _head(request: Request, number: int, kind: str) -> dict[str, Any]:
    # The time is constant: the same question gets the same bytes.
    return {"id": f"demo-{number}", "object": kind, "created": 0, "model": request.model}


def _tool_call(action: CallTool, number: int) -> dict[str, Any]:
    function = {"name": action.name, "arguments": action.arguments}
    return {"id": f"call_{number}", "type": "function", "function": function}


def _finish_reason(action: Action) -> str:
    return "stop" if isinstance(action, Say) else "tool_calls"
