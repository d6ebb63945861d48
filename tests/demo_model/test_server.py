import json
import subprocess
import sys
from pathlib import Path

import aiohttp
import openai
import pytest

from sympozium_local.demo_model.script import Behaviour
from sympozium_local.demo_model.server import DemoModel

POD_TOOL = {"type": "function", "function": {"name": "list_pods", "parameters": {}}}


async def streamed(client: openai.AsyncOpenAI, text: str, **options: object) -> list[object]:
    stream = await client.chat.completions.create(  # type: ignore[call-overload] # free options
        model="demo", messages=[{"role": "user", "content": text}], stream=True, **options
    )
    return [chunk async for chunk in stream]


async def test_a_stream_joins_to_the_whole_answer_and_ends_with_the_usage(
    client: openai.AsyncOpenAI,
) -> None:
    chunks = await streamed(client, "hello", stream_options={"include_usage": True})
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)  # type: ignore[attr-defined]
    whole = await client.chat.completions.create(
        model="demo", messages=[{"role": "user", "content": "hello"}]
    )
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage  # type: ignore[attr-defined]


async def test_an_offered_tool_is_called(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        model="demo",
        messages=[{"role": "user", "content": "which pods run here?"}],
        tools=[POD_TOOL],  # type: ignore[list-item]
    )
    calls = answer.choices[0].message.tool_calls or []
    assert answer.choices[0].finish_reason == "tool_calls"
    assert [call.function.name for call in calls] == ["list_pods"]  # type: ignore[union-attr]


async def test_it_lists_itself(client: openai.AsyncOpenAI) -> None:
    assert [model.id for model in (await client.models.list()).data] == ["demo"]


async def test_a_behaviour_applies_to_the_messages_it_matches_and_counts_them(
    demo: DemoModel, client: openai.AsyncOpenAI
) -> None:
    demo.script.replace(
        Behaviour(match="ping", answer="pong", times=1), Behaviour(match="ping", answer="enough")
    )
    answers = []
    for text in ("ping", "ping", "other"):
        answer = await client.chat.completions.create(
            model="demo", messages=[{"role": "user", "content": text}]
        )
        answers.append(answer.choices[0].message.content)
    assert answers[:2] == ["pong", "enough"]
    assert (demo.script.total, demo.script.calls["ping"]) == (3, 2)


async def test_it_may_say_again_what_it_is_told(
    demo: DemoModel, client: openai.AsyncOpenAI
) -> None:
    demo.script.replace(Behaviour(repeat=True))
    answer = await client.chat.completions.create(
        model="demo", messages=[{"role": "user", "content": "one\ntwo"}]
    )
    assert answer.choices[0].message.content == "one\ntwo"


async def test_scripted_errors_have_status_and_retry_after(
    demo: DemoModel, client: openai.AsyncOpenAI
) -> None:
    demo.script.replace(Behaviour(status=429, retry_after_s=3))
    with pytest.raises(openai.RateLimitError) as caught:
        await streamed(client, "anything")
    assert caught.value.response.headers["Retry-After"] == "3"


async def test_a_truncated_stream_ends_without_a_finish_reason(
    demo: DemoModel, client: openai.AsyncOpenAI
) -> None:
    demo.script.replace(Behaviour(answer="one two three", fault="truncate", after_tokens=2))
    chunks = await streamed(client, "anything")
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "one two"  # type: ignore[attr-defined]
    assert {c.choices[0].finish_reason for c in chunks} == {None}  # type: ignore[attr-defined]


@pytest.mark.parametrize("after_tokens", [0, 1])
async def test_a_reset_breaks_the_connection(
    demo: DemoModel, client: openai.AsyncOpenAI, after_tokens: int
) -> None:
    demo.script.replace(Behaviour(answer="one two", fault="reset", after_tokens=after_tokens))
    with pytest.raises(openai.APIConnectionError):
        await streamed(client, "anything")


async def test_the_script_can_be_replaced_and_counted_over_http(demo: DemoModel) -> None:
    root = demo.url.removesuffix("/v1")
    async with aiohttp.ClientSession() as session:
        async with session.post(
            f"{root}/script", data=b'[{"match": "x", "status": 500}]'
        ) as answer:
            assert await answer.json() == {"behaviours": 1}
        async with session.post(f"{root}/script", data=b'{"matsch": "x"}') as answer:
            assert answer.status == 400
        body = {"model": "demo", "messages": [{"role": "user", "content": "x"}]}
        async with session.post(f"{demo.url}/chat/completions", json=body) as answer:
            assert answer.status == 500
        async with session.get(f"{root}/calls") as answer:
            assert await answer.json() == {"total": 1, "by_match": {"x": 1}}


@pytest.mark.parametrize(
    "content", [b'"\xff"', b"[" * 100_000 + b"]" * 100_000], ids=["no text", "too deep"]
)
async def test_a_request_that_cannot_be_read_is_the_clients_fault(
    demo: DemoModel, content: bytes
) -> None:
    body = b'{"model": "demo", "messages": [{"role": "user", "content": %s}]}' % content
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{demo.url}/chat/completions", data=body) as answer,
    ):
        assert answer.status == 400


def test_the_program_refuses_a_script_it_cannot_read_with_one_sentence(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"status": "many"}))
    answer = subprocess.run(
        [sys.executable, "-m", "sympozium_local.demo_model", "--port", "0", "--script", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 78
    assert answer.stderr.startswith("demo-model: cannot read the script: ")
