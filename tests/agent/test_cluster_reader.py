"""The skill `cluster-reader` against a real API server, by its own token."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.envelope import encode
from sympozium.contract.run_events import ToolAnswer, ToolCall
from sympozium_agent.skills.catalog import CLUSTER_READER, SKILLS
from sympozium_agent.skills.cluster_reader import HANDLERS
from sympozium_agent.skills.cluster_reader import Cluster as ToolCluster
from sympozium_agent.skills.kube_api import ApiServer
from sympozium_agent.skills.manifest import DENIED, ToolGate
from sympozium_agent.skills.table import MAX_OUTPUT_BYTES, age, bounded, table
from sympozium_agent.tool_runner import ToolRunner
from tests.agent.cluster import READABLE, Cluster, running_cluster


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """A cluster with pods, a job, a run and an event."""
    async with running_cluster(tmp_path) as cluster:
        await cluster.fill()
        yield cluster


@pytest.fixture
async def kubelet(cluster: Cluster) -> AsyncIterator[list[str]]:
    """What a kubelet was asked for that answers every request for a log with two lines."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        return web.Response(text="line 1\nline 2\n")

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.UnixSite(runner, str(cluster.folder / "api" / "kubelet.sock")).start()
    yield asked
    await runner.cleanup()


class Caller:
    """Calls tools as one service account."""

    def __init__(self, cluster: Cluster, account: Path, gate: ToolGate) -> None:
        environment = cluster.environment(account)
        api = ApiServer(
            environment["KUBERNETES_SERVICE_HOST"],
            int(environment["KUBERNETES_SERVICE_PORT"]),
            account / "ca.crt",
            account / "token",
        )
        tools = ToolCluster(api, "default", lambda: datetime.now(UTC))
        self._runner = ToolRunner(CLUSTER_READER, gate, HANDLERS, tools)

    async def call(self, tool: str, **arguments: Any) -> ToolAnswer:
        raw = {name: msgspec.Raw(encode(value)) for name, value in arguments.items()}
        call = ToolCall(call_id="uid/1", tool=tool, arguments=raw)
        return await asyncio.to_thread(self._runner.answer, call)

    async def told(self, tool: str, **arguments: Any) -> str:
        answer = await self.call(tool, **arguments)
        assert not answer.failed, answer.text
        return answer.text


async def reader_of(cluster: Cluster, gate: ToolGate | None = None) -> Caller:
    return Caller(cluster, await cluster.account("reader", *READABLE), gate or ToolGate())


def cells(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


async def test_each_list_is_a_table_of_names_and_statuses(cluster: Cluster) -> None:
    caller = await reader_of(cluster)
    header, *pods = cells(await caller.told("list_pods"))
    assert header == ["NAME", "STATUS", "RESTARTS", "AGE", "NODE"]
    assert [pod[:3] for pod in pods] == [
        ["broken", "CrashLoopBackOff", "7"],
        ["web-1", "Running", "3"],
    ]
    assert cells(await caller.told("list_jobs"))[1][:3] == ["sum", "Pending", "0/1"]
    assert cells(await caller.told("list_runs"))[1][:3] == ["web-abc", "Pending", "helper"]
    event = cells(await caller.told("get_events", object_name="web-1"))[1]
    assert (event[:3], event[-4:]) == (
        ["pod/web-1", "Pulled", "Normal"],
        ["It", "is", "there.", "Now."],
    )


async def test_a_selector_and_a_namespace_narrow_a_list_and_nothing_is_called_nothing(
    cluster: Cluster,
) -> None:
    caller = await reader_of(cluster)
    assert len(cells(await caller.told("list_pods", label_selector="app=web"))) == 2
    nothing = await caller.told("list_pods", label_selector="app=none")
    assert nothing == "No pods in namespace 'default' with labels 'app=none'."
    assert await caller.told("get_events", object_name="x") == "No events in namespace 'default'."


async def test_a_pod_is_described_without_its_environment(cluster: Cluster) -> None:
    text = await (await reader_of(cluster)).told("describe_pod", name="web-1")
    assert "Status: Running" in text
    assert "Container main: running, 3 restarts, image sympozium/agent:local" in text
    assert "Condition Ready: True" in text


async def test_a_right_that_is_missing_is_named(cluster: Cluster) -> None:
    caller = Caller(cluster, await cluster.account("powerless"), ToolGate())
    answer = await caller.call("list_pods")
    assert answer.failed
    assert answer.text == (
        "cannot list pods in namespace 'default': this skill lacks the right 'list' on 'pods' there"
    )
    reader = await reader_of(cluster)
    assert "in namespace 'other'" in (await reader.call("list_jobs", namespace="other")).text


async def test_what_is_not_there_or_cannot_be_read_is_told(cluster: Cluster) -> None:
    caller = await reader_of(cluster)
    missing = await caller.call("describe_pod", name="nobody")
    assert missing.failed
    assert missing.text.endswith("there is no such object")
    assert (await caller.call("pod_logs", pod="nobody")).failed


async def test_a_server_that_does_not_answer_is_told(cluster: Cluster, tmp_path: Path) -> None:
    account = await cluster.account("reader", *READABLE)
    (account / "ca.crt").unlink()
    answer = await Caller(cluster, account, ToolGate()).call("list_pods")
    assert answer.failed
    assert "the API server does not answer (FileNotFoundError)" in answer.text


async def test_logs_are_the_newest_lines_of_the_container_that_is_named(
    cluster: Cluster, kubelet: list[str]
) -> None:
    text = await (await reader_of(cluster)).told("pod_logs", pod="web-1", tail_lines=7)
    assert text == "line 1\nline 2\n"
    assert kubelet == ["/containerLogs/default/web-1/main?tailLines=7"]


async def test_a_container_that_is_not_there_is_told_with_the_servers_own_words(
    cluster: Cluster, kubelet: list[str]
) -> None:
    answer = await (await reader_of(cluster)).call("pod_logs", pod="web-1", container="other")
    assert answer.failed
    assert "container other is not valid for pod web-1" in answer.text
    assert kubelet == []


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_pods", {"namespace": "../../secrets"}),
        ("list_pods", {"namespace": "UPPER"}),
        ("list_pods", {"namespace": ""}),
        ("list_pods", {"unknown": "x"}),
        ("list_pods", {"label_selector": "a\nb"}),
        ("describe_pod", {}),
        ("describe_pod", {"name": "a/../b"}),
        ("describe_pod", {"name": "a%2fb"}),
        ("pod_logs", {"pod": "web-1", "tail_lines": 201}),
        ("pod_logs", {"pod": "web-1", "tail_lines": 0}),
        ("pod_logs", {"pod": "web-1", "tail_lines": "10"}),
        ("pod_logs", {"pod": "web-1", "container": "a&follow=true"}),
        ("delete_everything", {}),
    ],
)
async def test_arguments_that_the_schema_does_not_allow_are_refused_with_their_place(
    tool: str, arguments: dict[str, Any]
) -> None:
    nowhere = ApiServer("127.0.0.1", 9, Path("/nowhere"), Path("/nowhere"))
    runner = ToolRunner(CLUSTER_READER, ToolGate(), HANDLERS, ToolCluster(nowhere, "default", _now))
    raw = {name: msgspec.Raw(encode(value)) for name, value in arguments.items()}
    answer = runner.answer(ToolCall(call_id="1", tool=tool, arguments=raw))
    assert answer.failed
    assert "API server" not in answer.text
    assert tool in answer.text


def _now() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("gate", "denied"),
    [
        (ToolGate(deny=frozenset({"list_pods"})), True),
        (ToolGate(allow=frozenset({"list_jobs"})), True),
        (ToolGate(allow=frozenset()), True),
        (ToolGate(frozenset({"list_pods"}), frozenset({"list_pods"})), True),
        (ToolGate(frozenset({"list_pods"})), False),
    ],
)
async def test_a_denied_tool_does_not_run(cluster: Cluster, gate: ToolGate, denied: bool) -> None:
    answer = await (await reader_of(cluster, gate)).call("list_pods")
    assert answer.failed is denied
    assert answer.text.startswith(DENIED) is denied


def test_every_tool_on_offer_has_a_handler_and_an_object_schema() -> None:
    tools = [tool for skill in SKILLS for tool in skill.tools]
    assert {tool.name for tool in tools} == set(HANDLERS)
    for tool in tools:
        schema = tool.parameters()
        assert (schema["type"], schema["additionalProperties"]) == ("object", False)
        assert "$ref" not in str(schema)


@given(text=st.text(max_size=30000), keeps_end=st.booleans())
def test_output_never_exceeds_its_bound(text: str, keeps_end: bool) -> None:
    cut = bounded(text, keeps_end=keeps_end)
    assert len(cut.encode()) <= MAX_OUTPUT_BYTES
    assert cut == text or "(cut: " in cut


@given(rows=st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_no_cell_breaks_its_table(rows: list[tuple[str, str]]) -> None:
    assert len(table(("NAME", "STATUS"), rows).split("\n")) == len(rows) + 1


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-01-01T00:00:00Z", "0s"),
        ("2025-12-31T23:59:15Z", "45s"),
        ("2025-12-31T23:48:00Z", "12m"),
        ("2025-12-29T00:00:00Z", "3d"),
        ("2026-01-02T00:00:00Z", "0s"),
        ("", "unknown"),
    ],
)
def test_an_age_is_in_its_largest_unit(moment: str, expected: str) -> None:
    assert age(moment, now=_now()) == expected
