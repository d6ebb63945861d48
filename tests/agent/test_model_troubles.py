"""What a run ends with when its model misbehaves, through the real proxy."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sympozium.contract.limits import MAX_RESULT_BYTES
from sympozium.contract.names import RunName, RunUid
from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import (
    Delta,
    Failure,
    ModelAccess,
    Progress,
    Result,
    RunContext,
    RunEvent,
)
from sympozium_agent.inbox import Inbox
from sympozium_agent.layout import IpcLayout
from sympozium_agent.loop import MAX_STEPS, Conversation, bounded, read_arguments
from sympozium_agent.model_proxy.server import ModelProxy, serve_model
from sympozium_agent.model_proxy.upstream import Endpoint, open_upstream
from sympozium_agent.openai_provider import open_provider
from sympozium_agent.patience import MAX_RETRY_AFTER_S, pause_after
from sympozium_agent.provider import ModelCallError, Trouble
from sympozium_agent.tools import open_toolbox
from sympozium_local.demo_model.script import Behaviour
from sympozium_local.demo_model.server import DemoModel
from tests.fixtures.nats_server import free_port

CONTEXT = RunContext(
    run_name=RunName("web-run"),
    run_uid=RunUid("uid"),
    task="hello",
    model=ModelAccess(provider="openai", model="demo"),
)
IDLE_TIMEOUT_S = 30.0
SHORT_IDLE_TIMEOUT_S = 0.5
LONG_ARGUMENTS = '{"text": "' + "x" * 600_000 + '"}'


@asynccontextmanager
async def proxied(url: str, *, idle_timeout_s: float = IDLE_TIMEOUT_S) -> AsyncIterator[str]:
    endpoint = Endpoint(url, idle_timeout_s, "sk-planted")
    async with (
        open_upstream(endpoint) as upstream,
        serve_model(ModelProxy(upstream, "demo"), 0) as port,
    ):
        yield f"http://127.0.0.1:{port}/v1"


async def converse(
    url: str,
    folder: Path,
    context: RunContext = CONTEXT,
    *,
    idle_timeout_s: float = IDLE_TIMEOUT_S,
) -> tuple[Result | Failure, list[RunEvent]]:
    said: list[RunEvent] = []
    async with (
        open_provider(url, context.model.model, idle_timeout_s=idle_timeout_s) as provider,
        open_toolbox(context, IpcLayout(folder)) as toolbox,
    ):
        inbox = Inbox(context, IpcLayout(folder), offset=0)
        return await Conversation(context, provider, toolbox, inbox, said.append).run(), said


@pytest.mark.parametrize(
    ("behaviour", "reason", "calls"),
    [
        (Behaviour(fault="hang"), Reason.MODEL_TIMEOUT, 1),
        (Behaviour(fault="hang", after_tokens=2), Reason.MODEL_TIMEOUT, 1),
        (Behaviour(fault="drip"), Reason.MODEL_TIMEOUT, 1),
        (Behaviour(fault="drip", after_tokens=2), Reason.MODEL_TIMEOUT, 1),
        (Behaviour(tool="x", arguments=LONG_ARGUMENTS), Reason.MODEL_BAD_ANSWER, 2),
        (Behaviour(status=400), Reason.MODEL_REFUSED, 1),
        (Behaviour(status=401), Reason.MODEL_REFUSED, 1),
        (Behaviour(status=403), Reason.MODEL_REFUSED, 1),
        (Behaviour(status=404), Reason.MODEL_REFUSED, 1),
        (Behaviour(status=429, retry_after_s=0), Reason.MODEL_OVERLOADED, 3),
        (Behaviour(status=429, retry_after_s=60), Reason.MODEL_OVERLOADED, 1),
        (Behaviour(status=500, retry_after_s=0), Reason.MODEL_OVERLOADED, 3),
        (Behaviour(status=503, retry_after_s=0), Reason.MODEL_OVERLOADED, 3),
        (Behaviour(fault="truncate", after_tokens=2), Reason.MODEL_BAD_ANSWER, 2),
        (Behaviour(fault="bad_json"), Reason.MODEL_BAD_ANSWER, 2),
        (Behaviour(fault="html"), Reason.MODEL_BAD_ANSWER, 2),
        (Behaviour(fault="empty"), Reason.MODEL_BAD_ANSWER, 2),
        (Behaviour(fault="reset"), Reason.MODEL_UNREACHABLE, 3),
        (Behaviour(fault="reset", after_tokens=2), Reason.MODEL_UNREACHABLE, 3),
        (Behaviour(tool="x", arguments="{", repeat_tool=True), Reason.MODEL_BAD_ANSWER, 2),
        (Behaviour(tool="x", repeat_tool=True), Reason.TOO_MANY_STEPS, MAX_STEPS),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_each_trouble_is_one_failure_with_its_reason_after_the_tries_it_deserves(
    demo: DemoModel, tmp_path: Path, behaviour: Behaviour, reason: Reason, calls: int
) -> None:
    demo.script.replace(behaviour)
    idle_s = SHORT_IDLE_TIMEOUT_S if reason is Reason.MODEL_TIMEOUT else IDLE_TIMEOUT_S
    async with proxied(demo.url, idle_timeout_s=idle_s) as url:
        end, _ = await converse(url, tmp_path, idle_timeout_s=idle_s)
    assert isinstance(end, Failure)
    assert (end.reason, demo.script.total) == (reason, calls)
    assert "hello" not in end.detail


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(status=429, retry_after_s=0, times=2),
        Behaviour(status=502, retry_after_s=0, times=2),
        Behaviour(answer="a b c", fault="truncate", after_tokens=2, times=1),
        Behaviour(fault="html", times=1),
        Behaviour(answer="a b c", fault="reset", after_tokens=2, times=1),
        Behaviour(tool="x", arguments="{", repeat_tool=True, times=1),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_trouble_that_passes_leaves_a_whole_answer(
    demo: DemoModel, tmp_path: Path, behaviour: Behaviour
) -> None:
    demo.script.replace(behaviour, Behaviour(answer="one two three"))
    async with proxied(demo.url) as url:
        end, said = await converse(url, tmp_path)
    assert isinstance(end, Result)
    assert end.text == "one two three"
    shown = ""
    for delta in said:
        if isinstance(delta, Delta):
            shown = shown[: delta.offset] + delta.text
    assert shown == "one two three"


async def test_an_endpoint_that_nobody_listens_on_is_unreachable(tmp_path: Path) -> None:
    async with proxied(f"http://127.0.0.1:{free_port()}/v1") as url:
        end, _ = await converse(url, tmp_path)
    assert isinstance(end, Failure)
    assert end.reason == Reason.MODEL_UNREACHABLE


async def test_a_bridge_that_is_away_is_waited_for(tmp_path: Path) -> None:
    async with open_provider(f"http://127.0.0.1:{free_port()}/v1", "demo", idle_timeout_s=1) as one:
        with pytest.raises(ModelCallError) as caught:
            await one.ask([], [], lambda _: None)
    assert caught.value.trouble is Trouble.DOOR_CLOSED
    assert 8 <= sum(Trouble.DOOR_CLOSED.pauses_s) <= 10


async def test_a_model_that_the_run_may_not_use_is_refused(demo: DemoModel, tmp_path: Path) -> None:
    other = RunContext(
        run_name=CONTEXT.run_name,
        run_uid=CONTEXT.run_uid,
        task="hello",
        model=ModelAccess(provider="openai", model="expensive"),
    )
    async with proxied(demo.url) as url:
        end, _ = await converse(url, tmp_path, other)
    assert isinstance(end, Failure)
    assert (end.reason, demo.script.total) == (Reason.MODEL_REFUSED, 0)


async def test_an_answer_that_never_ends_is_too_large(demo: DemoModel, tmp_path: Path) -> None:
    demo.script.replace(Behaviour(answer=f"{'x' * 65536} " * 12))
    async with proxied(demo.url) as url:
        end, _ = await converse(url, tmp_path)
    assert isinstance(end, Failure)
    assert end.reason == Reason.RESULT_TOO_LARGE


async def test_a_tool_that_is_not_there_is_told_to_the_model(
    demo: DemoModel, tmp_path: Path
) -> None:
    demo.script.replace(Behaviour(tool="rm_rf"))
    async with proxied(demo.url) as url:
        end, said = await converse(url, tmp_path)
    assert isinstance(end, Result)
    assert "there is no tool 'rm_rf'" in end.text
    states = [event.state for event in said if isinstance(event, Progress)]
    assert states == ["started", "failed"]


def test_a_pause_is_what_the_endpoint_asks_for_and_never_too_long() -> None:
    def pause(retry_after_s: float | None, earlier: int = 0) -> float | None:
        error = ModelCallError(Trouble.OVERLOADED, "busy", retry_after_s=retry_after_s)
        return pause_after(error, earlier)

    assert pause(3.0) == 3.0
    assert pause(MAX_RETRY_AFTER_S + 1) is None
    assert pause(None) == Trouble.OVERLOADED.pauses_s[0]
    assert pause(0.0, earlier=len(Trouble.OVERLOADED.pauses_s)) is None


@pytest.mark.parametrize("size_bytes", [MAX_RESULT_BYTES, MAX_RESULT_BYTES + 1])
def test_the_largest_result_is_one_and_one_byte_more_is_none(size_bytes: int) -> None:
    end = bounded(Result(text="x" * size_bytes))
    assert isinstance(end, Result) is (size_bytes <= MAX_RESULT_BYTES)


def test_a_result_that_json_makes_too_long_for_the_bus_is_none() -> None:
    assert isinstance(bounded(Result(text="\0" * 400_000)), Failure)


def test_arguments_lose_their_newlines_and_what_is_no_object_is_refused() -> None:
    arguments = read_arguments('{"a": {\n "b": 1\n}}')
    assert arguments is not None
    assert bytes(arguments["a"]) == b'{"b":1}'
    assert read_arguments("") == {}
    assert [read_arguments(text) for text in ("[]", "{", '"x"', "\ud800")] == [None] * 4
