"""Turns with real parts: API server, bus and controller. The test plays the kubelet."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.contract.names import RunUid
from sympozium.contract.resources import AGENT_RUNS, AGENTS, JOBS, PODS, Object
from sympozium.contract.run_events import Result, Started
from sympozium.contract.subjects import live
from sympozium.kube.errors import InvalidError
from sympozium_controller.runs.turns.pace import FEWEST
from sympozium_controller.runs.turns.turns import STARTING_WHEN_FULL
from sympozium_controller.settings import Limits, Settings
from tests.controller.cluster import NAMESPACE, Cluster, controller, say
from tests.fixtures.tenants import make_tenant

PATIENCE_S = 20.0


async def flood(cluster: Cluster, count: int, **spec: Any) -> list[Object]:
    """Create many runs, each in a conversation of its own."""
    return [
        await cluster.create_run(
            f"flood-{number:03}", conversation=f"f{number}", sequence=number + 1, **spec
        )
        for number in range(count)
    ]


async def started(cluster: Cluster, count: int) -> None:
    """Return once the first *count* of a flood have their Jobs, in whatever order."""
    for number in range(count):
        await cluster.job(f"flood-{number:03}")


async def job_names(cluster: Cluster) -> list[str]:
    """Return the names of all Jobs, oldest first."""
    jobs = (await cluster.kube.list(JOBS)).items
    jobs.sort(key=lambda job: int(job["metadata"]["resourceVersion"]))
    return [job["metadata"]["name"] for job in jobs]


@asynccontextmanager
async def other_namespace(cluster: Cluster, name: str) -> AsyncIterator[Cluster]:
    """Have a second tenant with an Agent of the same name; yield nothing of its own but that."""
    await make_tenant(cluster.kube, name)
    agent = {
        "apiVersion": AGENTS.api_version,
        "kind": AGENTS.kind,
        "metadata": {"name": cluster.agent, "namespace": name},
        "spec": {"agents": {"default": {"model": "test-model"}}},
    }
    await cluster.kube.create(AGENTS, agent)
    yield cluster


async def starts_before(cluster: Cluster, name: str, since: str) -> list[str]:
    """Return the Jobs created after version *since* up to that of *name*."""
    names: list[str] = []
    async with asyncio.timeout(PATIENCE_S):
        async for event in cluster.kube.watch(JOBS, None, since=since):
            if event.type == "ADDED":
                names.append(event.object["metadata"]["name"])
                if names[-1] == name:
                    return names
    raise AssertionError("the watch ended")


async def test_only_so_many_pods_are_on_their_way_at_once(
    controlled: Cluster, bus: NatsBus
) -> None:
    await controlled.create_agent()
    runs = await flood(controlled, FEWEST + 5)
    await started(controlled, FEWEST)
    await controlled.knows_every_run()
    assert len(await job_names(controlled)) == FEWEST
    await say(bus, runs[0], Started())
    await started(controlled, FEWEST + 3)  # a start that took no longer: two more
    assert len(await job_names(controlled)) == FEWEST + 3


async def test_one_message_of_another_tenant_passes_a_flood(controlled: Cluster) -> None:
    await controlled.create_agent()
    async with other_namespace(controlled, "quiet"):
        await flood(controlled, 300)
        await started(controlled, FEWEST)
        since = (await controlled.kube.list(JOBS)).resource_version
        await controlled.create_run("alone", namespace="quiet")
        assert await starts_before(controlled, "alone", since) == ["alone"]


async def test_a_tenant_that_floods_and_is_killed_over_leaves_the_other_its_turn(
    cluster: Cluster, settings: Settings
) -> None:
    await cluster.create_agent()
    async with other_namespace(cluster, "quiet"):
        await flood(cluster, 60)
        async with controller(cluster, settings):
            await started(cluster, FEWEST)
        await cluster.create_run("alone", namespace="quiet")
        since = (await cluster.kube.list(JOBS)).resource_version
        async with controller(cluster, settings):
            assert await starts_before(cluster, "alone", since) == ["alone"]


async def test_further_messages_of_the_other_tenant_take_turns_with_the_flood(
    controlled: Cluster, bus: NatsBus
) -> None:
    await controlled.create_agent()
    async with other_namespace(controlled, "quiet"):
        runs = await flood(controlled, 60)
        await started(controlled, FEWEST)
        for number in range(4):
            await controlled.create_run(f"quiet-{number}", namespace="quiet")
        await controlled.queued("quiet-3", namespace="quiet")
        since = (await controlled.kube.list(JOBS)).resource_version
        for run in runs[:FEWEST]:
            await say(bus, run, Result(text="done"))
        names = await starts_before(controlled, "quiet-3", since)
        assert len([name for name in names if name.startswith("flood")]) <= 4


async def test_an_agent_with_max_concurrent_one_answers_five_conversations_in_turn(
    controlled: Cluster, bus: NatsBus
) -> None:
    await controlled.create_agent(maxConcurrent=1)
    runs = [
        await controlled.create_run(f"r{number}", conversation=f"c{number}", sequence=number)
        for number in range(1, 6)
    ]
    for run in runs:
        name = run["metadata"]["name"]
        await controlled.job(name)
        unfinished = [
            one["metadata"]["name"]
            for one in (await controlled.kube.list(AGENT_RUNS, NAMESPACE)).items
            if "finishedAt" not in one.get("status", {})
        ]
        at_work = set(await job_names(controlled)) & set(unfinished)
        assert at_work == {name}
        await say(bus, run, Result(text="done"))
        assert (await controlled.ended(name))["phase"] == "Succeeded"


async def test_a_limit_below_one_is_refused(cluster: Cluster) -> None:
    with pytest.raises(InvalidError, match="maxConcurrent"):
        await cluster.create_agent(maxConcurrent=0)


async def test_a_limit_that_is_raised_lets_those_who_wait_start(controlled: Cluster) -> None:
    await controlled.create_agent(maxConcurrent=1)
    for number in range(4):
        await controlled.create_run(f"r{number}")
    await controlled.job("r0")
    await controlled.kube.patch(AGENTS, NAMESPACE, controlled.agent, {"spec": {"maxConcurrent": 3}})
    for name in ("r1", "r2"):
        await controlled.job(name)
    await controlled.knows_every_run()
    assert not await controlled.exists(JOBS, "r3")
    await controlled.kube.patch(
        AGENTS, NAMESPACE, controlled.agent, {"spec": {"maxConcurrent": None}}
    )
    await controlled.job("r3")


async def test_a_limit_of_the_system_and_of_each_namespace_holds(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    await cluster.create_agent()
    limited = replace(settings, limits=Limits(total=3, per_namespace=2))
    async with other_namespace(cluster, "quiet"), controller(cluster, limited):
        runs = await flood(cluster, 4)
        await started(cluster, 2)
        since = (await cluster.kube.list(JOBS)).resource_version
        for name in ("quiet-0", "quiet-1"):
            await cluster.create_run(name, namespace="quiet")
        assert await starts_before(cluster, "quiet-0", since) == ["quiet-0"]
        for namespace in (NAMESPACE, "quiet"):
            await cluster.knows_every_run(namespace=namespace)
        assert sorted(await job_names(cluster)) == ["flood-000", "flood-001", "quiet-0"]
        for run, successor in zip(runs, ("flood-002", "quiet-1"), strict=False):
            await say(bus, run, Result(text="done"))
            names = await starts_before(cluster, successor, since)
        assert names == ["quiet-0", "flood-002", "quiet-1"]


async def test_a_run_that_waits_for_its_turn_is_cancelled_at_once(
    controlled: Cluster, bus: NatsBus
) -> None:
    await controlled.create_agent(maxConcurrent=1)
    first = await controlled.create_run("first")
    await controlled.job("first")
    await controlled.create_run("second", conversation="c", sequence=2)
    await controlled.create_run("third", conversation="d", sequence=3)
    await controlled.kube.patch(AGENT_RUNS, NAMESPACE, "second", {"spec": {"cancel": True}})
    assert (await controlled.ended("second"))["phase"] == "Cancelled"
    assert not await controlled.exists(JOBS, "second")
    await say(bus, first, Result(text="done"))
    await controlled.job("third")


async def test_a_run_in_line_lets_an_earlier_message_that_comes_after_it_go_first(
    controlled: Cluster, bus: NatsBus
) -> None:
    await controlled.create_agent(maxConcurrent=1)
    first = await controlled.create_run("first")
    await controlled.job("first")
    await controlled.create_run("later", conversation="c", sequence=9)
    await controlled.queued("later")
    await controlled.create_run("earlier", conversation="c", sequence=8)
    await controlled.knows_every_run()
    await say(bus, first, Result(text="done"))
    await controlled.job("earlier")
    assert not await controlled.exists(JOBS, "later")


async def test_a_cluster_that_is_full_is_handed_less(controlled: Cluster, bus: NatsBus) -> None:
    await controlled.create_agent()
    runs = await flood(controlled, FEWEST + 1)
    await started(controlled, FEWEST)
    pod = await controlled.create_pod(await controlled.job(f"flood-{FEWEST - 1:03}"))
    no_room = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    await controlled.set_status(PODS, pod["metadata"]["name"], {"conditions": [no_room]})
    await controlled.queued(f"flood-{FEWEST - 1:03}")
    full = FEWEST - STARTING_WHEN_FULL
    for run in runs[:full]:
        await say(bus, run, Result(text="done"))
        await controlled.ended(run["metadata"]["name"])
    assert not await controlled.exists(JOBS, runs[-1]["metadata"]["name"])
    await say(bus, runs[full], Result(text="done"))
    await controlled.job(runs[-1]["metadata"]["name"])


async def test_who_waits_says_so_in_its_status(controlled: Cluster) -> None:
    await controlled.create_agent(maxConcurrent=1)
    await controlled.create_run("first", conversation="c", sequence=1)
    await controlled.job("first")
    await controlled.create_run("behind", conversation="c", sequence=2)
    await controlled.create_run("limited", conversation="d", sequence=3)
    for name, reason in (("behind", "EarlierMessages"), ("limited", "AgentLimit")):
        run = await controlled.queued(name)
        (condition,) = run["status"]["conditions"]
        assert (condition["type"], condition["reason"]) == ("Queued", reason)


async def test_who_waits_is_told_how_many_come_first(controlled: Cluster, bus: NatsBus) -> None:
    await controlled.create_agent(maxConcurrent=1)
    first = await controlled.create_run("first", conversation="c", sequence=1)
    await controlled.job("first")
    await controlled.create_run("next", conversation="d", sequence=2)
    last = await controlled.create_run("last", conversation="e", sequence=3)
    behind = await controlled.create_run("behind", conversation="c", sequence=4)
    heard: dict[str, list[tuple[int, bool]]] = {}
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        for run in (last, behind):
            group.create_task(_hear(bus, run, heard))
        await _until(lambda: len(heard) == 2)
        await say(bus, first, Result(text="done"))
        await _until(lambda: heard["last"][-1] == (0, True) and "behind" in heard)
        for task in list(_hearing):
            task.cancel()
    assert heard["last"] == [(1, True), (0, True)]
    assert heard["behind"][0] == (1, False)


_hearing: set[asyncio.Task[None]] = set()


async def _hear(bus: NatsBus, run: Object, heard: dict[str, list[tuple[int, bool]]]) -> None:
    task = asyncio.current_task()
    assert task is not None
    _hearing.add(task)
    task.add_done_callback(_hearing.discard)
    name, uid = run["metadata"]["name"], RunUid(run["metadata"]["uid"])
    with suppress(asyncio.CancelledError):
        async with bus.listen(live(NAMESPACE, uid)) as said:
            async for _, data in said:
                line = json.loads(data)
                assert line["type"] == "waiting"
                told = (line.get("before"), line.get("forCapacity", False))
                known = heard.setdefault(name, [])
                if not known or known[-1] != told:
                    known.append(told)


async def _until(holds: Any) -> None:
    while not holds():  # noqa: ASYNC110 - what is heard has no event
        await asyncio.sleep(0.02)
