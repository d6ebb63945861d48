"""Agent, bridge and tool sidecar together, as real processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from sympozium.contract.envelope import decode, encode
from sympozium.contract.run_events import Progress, Result, ToolAnswer, ToolCall, call_id
from sympozium_agent.follow import follow
from sympozium_agent.journal import JournalWriter
from sympozium_local.demo_model.script import Behaviour
from tests.agent.cluster import READABLE, Cluster, running_cluster
from tests.agent.pod import RUN_UID, Pod, exited, killed, terminated

PACK = "cluster-reader"


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """A cluster with pods."""
    async with running_cluster(tmp_path) as cluster:
        await cluster.fill()
        yield cluster


@pytest.fixture
async def reading_pod(pod: Pod, cluster: Cluster) -> Pod:
    """A pod with the skill and its rights, that is asked which pods run."""
    pod.environment |= cluster.environment(await cluster.account("reader", *READABLE))
    pod.task = "which pods run here?"
    pod.skills = [PACK]
    pod.layout.tool_calls(PACK).parent.mkdir(parents=True)
    return pod


def ask(pod: Pod, *steps: int) -> None:
    with closing(JournalWriter(pod.layout.tool_calls(PACK))) as journal:
        for step in steps:
            journal.append(encode(ToolCall(call_id=call_id(RUN_UID, step), tool="list_pods")))


async def answers(pod: Pod, count: int) -> list[str]:
    async with follow(pod.layout.tool_answers(PACK)) as lines, asyncio.timeout(10):
        found = [await lines.next_line() for _ in range(count)]
    return [decode(line.data, ToolAnswer).call_id for line in found if line]


async def test_a_question_about_pods_is_answered_with_the_pods(reading_pod: Pod) -> None:
    bridge, tools = reading_pod.start("bridge"), reading_pod.start("tool_runner")
    agent = reading_pod.start("agent")
    end = await reading_pod.end()
    assert isinstance(end, Result)
    assert "broken: CrashLoopBackOff" in end.text
    assert "web-1: Running" in end.text
    progress = [e for e in await reading_pod.recorded() if isinstance(e, Progress)]
    assert [(p.call_id, p.tool, p.state) for p in progress] == [
        (f"{RUN_UID}/1", "list_pods", "started"),
        (f"{RUN_UID}/1", "list_pods", "done"),
    ]
    assert await exited(agent) == 0
    assert [await terminated(process) for process in (tools, bridge)] == [0, 0]


async def test_a_denied_tool_is_not_offered_and_does_not_run_when_it_is_named(
    reading_pod: Pod,
) -> None:
    reading_pod.allowed_tools = ["list_jobs"]
    reading_pod.model.script.replace(Behaviour(tool="list_pods"))
    for program in ("bridge", "tool_runner", "agent"):
        reading_pod.start(program)
    end = await reading_pod.end()
    assert isinstance(end, Result)
    assert "policy does not allow the tool 'list_pods'" in end.text
    states = [e.state for e in await reading_pod.recorded() if isinstance(e, Progress)]
    assert states == ["started", "denied"]


async def test_the_sidecar_denies_what_the_agent_asks_for_anyway(reading_pod: Pod) -> None:
    reading_pod.environment["SYMPOZIUM_TOOLS_DENY"] = "list_jobs, list_pods"
    for program in ("bridge", "tool_runner", "agent"):
        reading_pod.start(program)
    assert isinstance(await reading_pod.end(), Result)
    states = [e.state for e in await reading_pod.recorded() if isinstance(e, Progress)]
    assert states == ["started", "denied"]


async def test_a_sidecar_that_is_killed_answers_again_only_what_has_no_answer(
    reading_pod: Pod,
) -> None:
    ask(reading_pod, 1, 2)
    first = reading_pod.start("tool_runner")
    assert await answers(reading_pod, 2) == [f"{RUN_UID}/1", f"{RUN_UID}/2"]
    await killed(first)
    path = reading_pod.layout.tool_answers(PACK)
    path.write_bytes(path.read_bytes()[:-10])
    ask(reading_pod, 3)
    reading_pod.start("tool_runner")
    async with follow(path) as lines, asyncio.timeout(10):
        found = [line.data for _ in range(4) if (line := await lines.next_line())]
    ids = [decode(data, ToolAnswer).call_id for data in (found[0], *found[2:])]
    assert ids == [f"{RUN_UID}/{step}" for step in (1, 2, 3)]


async def test_lines_that_are_no_calls_are_passed_over(reading_pod: Pod) -> None:
    reading_pod.layout.tool_calls(PACK).write_bytes(b'nonsense\n{"callId":1}\n[]\n')
    ask(reading_pod, 1)
    reading_pod.start("tool_runner")
    assert await answers(reading_pod, 1) == [f"{RUN_UID}/1"]


async def test_a_sidecar_without_its_settings_names_them(reading_pod: Pod) -> None:
    reading_pod.environment["SYMPOZIUM_SKILL"] = "unknown-skill"
    assert await exited(reading_pod.start("tool_runner")) == 78
    assert "this image holds cluster-reader" in reading_pod.log_of("tool_runner")
