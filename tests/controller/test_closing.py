"""Grants end with the run: what is left connected is closed by the server that has it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.contract.names import RunUid
from sympozium.contract.resources import AGENT_RUNS, PODS, Object
from sympozium.contract.run_events import Result
from tests.controller.cluster import NAMESPACE, Cluster, say
from tests.controller.secured import Secured, refused, secured_bus

pytestmark = pytest.mark.timeout(120)
CLOSED_WITHIN_S = 60.0
"""Far more than it takes; far less than the token of a connection would last."""


def uid_of(run: Object) -> RunUid:
    """Return the uid of a run."""
    return RunUid(run["metadata"]["uid"])


@asynccontextmanager
async def bridge(
    secured: Secured, run: Object, token: str, *, server: int = 0
) -> AsyncIterator[tuple[NatsBus, asyncio.Event]]:
    """Yield a connection of a run, and what is set once a server has closed it."""
    closed = asyncio.Event()

    async def note() -> None:
        closed.set()

    at = secured.servers[server]
    async with secured.connect(token, "run", NAMESPACE, uid_of(run), server=at) as bus:
        bus.client._disconnected_cb = note
        yield bus, closed


async def is_closed(closed: asyncio.Event) -> None:
    """Return once a connection was closed."""
    async with asyncio.timeout(CLOSED_WITHIN_S):
        await closed.wait()


async def has_looked(secured: Secured) -> None:
    """Return once the controller has looked at the connections, as it does when it begins."""
    run, token = await secured.run("barrier")
    async with bridge(secured, run, token) as (bus, closed):
        await say(bus, run, Result(text="done"))
        await is_closed(closed)


async def is_finished(secured: Secured, name: str) -> bool:
    """Return whether a run has ended."""
    run = await secured.cluster.kube.get(AGENT_RUNS, NAMESPACE, name)
    return "finishedAt" in (run.get("status") or {})


async def test_what_is_connected_as_a_run_is_closed_once_the_run_has_ended(
    secured: Secured,
) -> None:
    await has_looked(secured)
    first, first_token = await secured.run("first")
    async with (
        bridge(secured, first, first_token) as (bus, closed),
        bridge(secured, first, first_token) as (_, closed_elsewhere),
    ):
        await say(bus, first, Result(text="done"))
        assert (await secured.cluster.ended("first"))["result"] == "done"
        await is_closed(closed)
        await is_closed(closed_elsewhere)
        await refused(secured, first_token, "run", NAMESPACE, uid_of(first))


async def test_nobody_else_is_closed_with_it(secured: Secured) -> None:
    (first, first_token), (second, second_token) = [
        await secured.run(name) for name in ("first", "second")
    ]
    channel_token, router_token = await secured.channel(), await secured.router()
    async with (
        bridge(secured, second, second_token) as (_, closed_other),
        secured.connect(router_token, "router") as router,
        secured.connect(channel_token, "channel", NAMESPACE, "web") as channel,
        bridge(secured, first, first_token) as (bus, closed),
    ):
        await say(bus, first, Result(text="done"))
        await is_closed(closed)
        await refused(secured, first_token, "run", NAMESPACE, uid_of(first))
        assert not closed_other.is_set()
        assert [one.client.stats["reconnects"] for one in (router, channel)] == [0, 0]


async def test_what_is_connected_as_a_pod_is_closed_once_the_pod_is_gone(
    secured: Secured,
) -> None:
    await has_looked(secured)
    run, token = await secured.run("first")
    async with bridge(secured, run, token) as (_, closed):
        await secured.cluster.kube.delete(PODS, NAMESPACE, "first-pod", grace_s=0)
        await is_closed(closed)
    assert not await is_finished(secured, "first")


async def test_a_pod_that_is_told_to_end_has_its_say(secured: Secured) -> None:
    (first, first_token), (second, second_token) = [
        await secured.run(name) for name in ("first", "second")
    ]
    held = {"metadata": {"finalizers": ["test/held"]}}
    async with (
        bridge(secured, first, first_token) as (bus, closed),
        bridge(secured, second, second_token) as (other, closed_other),
    ):
        await secured.cluster.kube.patch(PODS, NAMESPACE, "first-pod", held)
        await secured.cluster.kube.delete(PODS, NAMESPACE, "first-pod")
        await say(other, second, Result(text="done"))
        await is_closed(closed_other)  # so the connections have been looked at since
        assert not closed.is_set()
        await say(bus, first, Result(text="my last words"))
        assert (await secured.cluster.ended("first"))["result"] == "my last words"


@pytest.mark.parametrize("size", [1, 3])
async def test_what_ended_while_no_controller_looked_is_closed_by_the_next_one(
    cluster: Cluster, tmp_path: Path, size: int
) -> None:
    async with secured_bus(cluster, tmp_path, size) as secured, AsyncExitStack() as stack:
        async with secured.controller():
            await cluster.create_agent()
            await secured.admits()
            run, token = await secured.run("first")
            _, closed = await stack.enter_async_context(
                bridge(secured, run, token, server=size - 1)
            )
        ended = {"phase": "Cancelled", "finishedAt": "2026-01-02T03:04:05Z"}
        await cluster.set_status(AGENT_RUNS, "first", ended)
        assert not closed.is_set()
        async with secured.controller():
            await is_closed(closed)
