"""Reading streams as endpoints really send them."""

import asyncio
import json
import subprocess
import sys
import threading
from types import ModuleType
from typing import Any

import httpx2
import pytest

from sympozium.contract.messages import Role
from sympozium_agent.openai_provider import open_provider, prepare
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
from sympozium_agent.rehearsal import agent, bridge, tool_runner
from sympozium_agent.rehearsal.stand_in import stand_in


def chunk(delta: Any = None, finish_reason: str | None = None, **more: Any) -> Any:
    return {"choices": [{"delta": delta or {}, "finish_reason": finish_reason}]} | more


def tool_piece(**fields: Any) -> Any:
    return chunk({"tool_calls": [fields]})


async def answer_to(*chunks: Any, turns: list[Turn] | None = None) -> tuple[Answer, list[Any]]:
    asked: list[Any] = []

    def respond(request: httpx2.Request) -> httpx2.Response:
        asked.append(json.loads(request.content))
        text = "".join(f"data: {json.dumps(piece)}\n\n" for piece in chunks)
        return httpx2.Response(200, headers={"Content-Type": "text/event-stream"}, text=text)

    async with open_provider(
        "http://model.invalid/v1",
        "demo",
        idle_timeout_s=1,
        transport=httpx2.MockTransport(respond),
    ) as provider:
        tool = OfferedTool("look", "Look.", {"type": "object"})
        return await provider.ask(turns or [], [tool], lambda _: None), asked


async def requests_in(*chunks: Any) -> tuple[ToolRequest, ...]:
    answer, _ = await answer_to(*chunks)
    return answer.requests


@pytest.mark.parametrize("finish_reason", ["tool_calls", "stop", "length", "function_call"])
async def test_tool_calls_are_found_whatever_the_finish_reason_says(finish_reason: str) -> None:
    found = await requests_in(
        tool_piece(index=0, id="a", function={"name": "look", "arguments": '{"x"'}),
        tool_piece(index=0, function={"arguments": ": 1}"}),
        tool_piece(index=1, id="b", function={"name": "look", "arguments": "{}"}),
        chunk(finish_reason=finish_reason),
    )
    assert found == (ToolRequest("a", "look", '{"x": 1}'), ToolRequest("b", "look", "{}"))


async def test_calls_without_a_number_or_an_id_are_told_apart() -> None:
    found = await requests_in(
        tool_piece(id="a", function={"name": "look", "arguments": "{}"}),
        tool_piece(id="b", function={"name": "look", "arguments": "{"}),
        tool_piece(function={"arguments": "}"}),
        chunk(finish_reason="tool_calls"),
    )
    assert found == (ToolRequest("a", "look", "{}"), ToolRequest("b", "look", "{}"))
    found = await requests_in(
        tool_piece(index=0, function={"name": "look", "arguments": "{}"}),
        chunk(finish_reason="stop"),
    )
    assert found == (ToolRequest("call_0", "look", "{}"),)


@pytest.mark.parametrize(
    "chunks",
    [
        ([1, 2],),
        ({"choices": "none"},),
        (chunk({"content": 7}),),
        (chunk({"content": "whole"}),),
        (chunk({"content": "  "}, "stop"),),
        ({"choices": []},),
        (),
    ],
)
async def test_what_is_no_whole_answer_is_a_bad_one(chunks: tuple[Any, ...]) -> None:
    with pytest.raises(ModelCallError) as caught:
        await answer_to(*chunks)
    assert caught.value.trouble is Trouble.BAD_ANSWER


async def test_an_error_in_the_middle_of_a_stream_may_pass() -> None:
    error = {"error": {"message": "secret detail", "code": "server_error"}}
    with pytest.raises(ModelCallError) as caught:
        await answer_to(chunk({"content": "x"}), error)
    assert caught.value.trouble is Trouble.OVERLOADED
    assert "secret" not in str(caught.value)


async def test_half_a_character_and_unknown_fields_do_no_harm() -> None:
    odd = chunk({"content": "a\ud83d", "reasoning": None}, "stop", id="x", usage=None)
    answer, _ = await answer_to(odd)
    assert answer.text == "a?"


async def test_every_turn_is_told_as_the_protocol_has_it() -> None:
    turns: list[Turn] = [
        System("be kind"),
        Said(Role.USER, "look"),
        ToolsRequested("", (ToolRequest("a", "look", "{}"),)),
        ToolResult("a", "seen"),
    ]
    _, (asked,) = await answer_to(chunk({"content": "x"}, "stop"), turns=turns)
    assert [message["role"] for message in asked["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
    ]
    call = asked["messages"][2]["tool_calls"][0]
    assert call == {
        "id": "a",
        "type": "function",
        "function": {"name": "look", "arguments": "{}"},
    }
    assert asked["messages"][3]["tool_call_id"] == "a"
    assert asked["tools"][0]["function"]["name"] == "look"
    assert asked["stream_options"] == {"include_usage": True}


def test_a_client_made_before_the_fork_asks_in_the_event_loop_of_after() -> None:
    async def ask() -> Answer:
        async with (
            stand_in() as url,
            open_provider(url, "demo", idle_timeout_s=5) as provider,
        ):
            return await provider.ask([Said(Role.USER, "hello")], [], lambda _: None)

    prepare()
    first = asyncio.run(ask())
    assert (first.text, asyncio.run(ask())) == ("word word word ", first)


@pytest.mark.parametrize("program", [agent, bridge, tool_runner])
async def test_a_rehearsal_needs_no_network_and_leaves_no_thread(program: ModuleType) -> None:
    before = threading.active_count()
    await program.warm_up()
    assert threading.active_count() == before


def test_programs_start_without_large_libraries_they_do_not_use_and_without_threads() -> None:
    code = (
        "import sys, threading\n"
        "import sympozium_agent.agent, sympozium_agent.bridge, sympozium_agent.tool_runner\n"
        "print({'aiohttp', 'trio'} & set(sys.modules), threading.active_count())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "set() 1"
