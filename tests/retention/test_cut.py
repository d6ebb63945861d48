"""A router holds little of runs that have ended, and nobody notices."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sympozium.contract.names import RunName
from sympozium.contract.resources import AGENT_RUNS, Object
from sympozium_router.world.cluster import Cluster, uid_of
from sympozium_router.world.held import is_cut, is_terminal
from tests.router.routed import NAMESPACE, World

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]
LONG_AGO = "2020-01-01T00:00:00Z"


async def test_a_run_that_ended_is_held_in_part_after_a_while(open_world: OpenWorld) -> None:
    async with open_world() as world, following(world) as cluster:
        run = await a_run(world, "r")
        await world.end_run(run, result="it is this")
        assert not is_cut(await until_held(cluster, "r", is_terminal))
        cluster.cutter.cut_ended(asyncio.get_running_loop().time() + 1)
        held = await until_held(cluster, "r", is_cut)
        assert "task" not in held["spec"]
        whole = await cluster.run(NAMESPACE, RunName("r"), uid_of(run))
        assert whole is not None
        assert whole["status"]["result"] == "it is this"
        assert await cluster.run_by_uid(NAMESPACE, uid_of(run), RunName("r")) == whole
        by_uid = await cluster.run_by_uid(NAMESPACE, uid_of(run))
        assert by_uid is not None
        assert by_uid["status"] == whole["status"]


async def test_an_answer_that_came_long_before_the_router_is_told(open_world: OpenWorld) -> None:
    async with open_world() as world:
        async with world.router():
            asked = await world.say("1")
            run = await world.run_of(asked)
            await world.shown.accepted(asked)
        await world.end_run(run, result="it is this", finishedAt=LONG_AGO)
        async with world.router():
            assert (await world.shown.end_of(asked)).text == "it is this"


@asynccontextmanager
async def following(world: World) -> AsyncIterator[Cluster]:
    """Keep up a router's copies while the block lasts."""
    cluster, stop = Cluster(world.kube), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(cluster.follow(stop))
        await cluster.wait_until_synced()
        yield cluster
        stop.set()


async def a_run(world: World, name: str) -> Object:
    """Create a run that answers no message."""
    return await world.kube.create(
        AGENT_RUNS,
        {
            "apiVersion": AGENT_RUNS.api_version,
            "kind": AGENT_RUNS.kind,
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"agentRef": "helper", "task": "t"},
        },
    )


async def until_held(cluster: Cluster, name: str, says: Callable[[Object], bool]) -> Object:
    """Return the copy of a run once *says* holds of it."""
    while True:
        held = cluster.known_run(NAMESPACE, RunName(name))
        if held is not None and says(held):
            return held
        await asyncio.sleep(0.01)
