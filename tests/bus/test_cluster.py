"""Three servers that are one bus: killed, all at once, and restarted one after the other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import nats.errors
import pytest

from sympozium.bus.admin import ensure_bus
from sympozium.bus.lines import ensure_line
from sympozium.bus.nats import Address, NatsBus, connect
from sympozium.bus.ports import BusUnavailableError
from sympozium.contract.subjects import INBOX, inbox, inbox_consumer, reply_prefix
from tests.fixtures.nats_cluster import SIZE, NatsCluster, leader_of, nats_cluster

pytestmark = pytest.mark.timeout(120)
SUBJECT = inbox("default", "web")
AGAIN_S = 0.1

Fault = Callable[[NatsCluster, NatsBus], Awaitable[None]]
LINE = inbox_consumer("default")


@asynccontextmanager
async def bus_on_three(directory: Path) -> AsyncIterator[tuple[NatsCluster, NatsBus]]:
    """Yield three servers with our streams on each of them, and a connection."""
    async with (
        nats_cluster(directory) as cluster,
        connect(Address(cluster.urls, "test", reply_prefix("test"))) as bus,
    ):
        await ensure_bus(bus.client, replicas=SIZE)
        await ensure_line(bus.client, "default")
        yield cluster, bus


async def until_it_works(do: Callable[[], Awaitable[object]]) -> None:
    """Do something again until the bus takes it, as every program of ours does."""
    while True:
        try:
            await do()
            return
        except (BusUnavailableError, nats.errors.Error):
            await asyncio.sleep(AGAIN_S)


async def publish(bus: NatsBus, numbers: range) -> None:
    """Store messages, each until it is confirmed."""
    for number in numbers:
        name = str(number)
        await until_it_works(partial(bus.publish, SUBJECT, name.encode(), message_id=name))


async def take_all(bus: NatsBus, count: int) -> list[int]:
    """Take what is delivered until *count* different messages were; return them as they came."""
    taken: list[int] = []
    async with bus.consume(LINE) as deliveries:
        while len(set(taken)) < count:
            delivery = await anext(deliveries)
            taken.append(int(delivery.data))
            await until_it_works(delivery.ack)
    return taken


async def kill_the_leader(cluster: NatsCluster, bus: NatsBus) -> None:
    """Kill the server that leads INBOX, and leave it dead."""
    cluster.named(await leader_of(bus.client, INBOX)).kill()


async def kill_all_three(cluster: NatsCluster, _: NatsBus) -> None:
    """Kill every server at once, and start them again."""
    cluster.kill()
    await cluster.start()


async def restart_one_after_the_other(cluster: NatsCluster, bus: NatsBus) -> None:
    """Do what an update of the servers does: the next is ended once the last one is back."""
    for server in cluster.servers:
        server.kill()
        await until_it_works(lambda: has_leader(bus))
        await server.start()
        await until_it_works(lambda: is_whole(bus))


async def has_leader(bus: NatsBus) -> None:
    """Raise unless INBOX has a leader."""
    await bus.client.jetstream().stream_info(INBOX)


async def is_whole(bus: NatsBus) -> None:
    """Raise unless every server has all of INBOX."""
    info = await bus.client.jetstream().stream_info(INBOX)
    followers = (info.cluster.replicas if info.cluster else None) or []
    if len(followers) != SIZE - 1 or not all(one.current for one in followers):
        raise BusUnavailableError("not all servers have caught up")


@pytest.mark.parametrize("fault", [kill_the_leader, kill_all_three, restart_one_after_the_other])
async def test_a_restart_of_nats_loses_nothing_that_was_stored_and_doubles_nothing(
    tmp_path: Path, fault: Fault
) -> None:
    async with bus_on_three(tmp_path) as (cluster, bus):
        await publish(bus, range(20))
        async with asyncio.TaskGroup() as group:
            taking = group.create_task(take_all(bus, 40))
            await fault(cluster, bus)
            await publish(bus, range(10, 40))  # the first ten of them are stored already
        info = await bus.client.jetstream().stream_info(INBOX)
    assert set(taking.result()) == set(range(40))
    assert info.state.messages == 40
