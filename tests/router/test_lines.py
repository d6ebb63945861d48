"""What one tenant hands in makes no other wait, and every line is read by every router."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial

import pytest

from sympozium.bus.admin import ensure_consumer
from sympozium.bus.lines import delete_empty_line, ensure_line
from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import Stored
from sympozium.contract.messages import OutboundKind, OutboundMessage
from sympozium.contract.names import MessageId
from sympozium.contract.resources import NAMESPACES, TENANT_LABEL
from sympozium.contract.subjects import EARLIER_INBOX_CONSUMER, INBOX, inbox, inbox_consumer
from sympozium.runtime.health import Health
from sympozium.store.ports import MessageKey
from sympozium_router.inbox import earlier, lines
from sympozium_router.program import Router
from tests.fixtures.nats_server import NatsServer
from tests.router.routed import CHANNEL, NAMESPACE, World, until
from tests.router.test_restarts import process
from tests.router.test_tenants import OTHER, furnish_other, say, shown_to

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]

FLOOD = 3000
TALKS = 500
AT_ONCE = 200


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is looked at now and then be looked at at once."""
    monkeypatch.setattr(lines, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(earlier, "SETTLE_EVERY_S", 0.05)
    monkeypatch.setattr(earlier, "NOT_OURS_S", 0.05)


async def flood(world: World, count: int) -> None:
    """Have the second tenant hand in so many messages, in many conversations."""
    for start in range(0, count, AT_ONCE):
        async with asyncio.TaskGroup() as group:
            for number in range(start, min(start + AT_ONCE, count)):
                group.create_task(say(world, OTHER, number, f"c{number % TALKS}"))


def key_of(message_id: str, namespace: str = NAMESPACE) -> MessageKey:
    return MessageKey(namespace, CHANNEL, MessageId(message_id))


async def recorded(world: World, message_id: str) -> None:
    """Return when a router has recorded a message of the first tenant."""
    await until(lambda: world.store.known(key_of(message_id)))


async def settled(bus: NatsBus, namespace: str) -> None:
    """Return when everything that a tenant handed in is settled."""

    async def is_settled() -> bool:
        last = await last_of(bus, namespace)
        state = await bus.state(inbox_consumer(namespace))
        return last is not None and state.acknowledged >= last.sequence

    await until(is_settled)


async def last_of(bus: NatsBus, namespace: str) -> Stored | None:
    return await bus.last(INBOX, inbox(namespace, CHANNEL))


async def waiting(bus: NatsBus, namespace: str) -> int:
    """Return how many messages of a tenant no router has settled."""
    line = inbox_consumer(namespace)
    info = await bus.client.jetstream().consumer_info(INBOX, line.name)
    return (info.num_pending or 0) + (info.num_ack_pending or 0)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("routers", [1, 2])
async def test_a_message_is_recorded_while_most_of_the_flood_of_another_tenant_waits(
    open_world: OpenWorld, bus: NatsBus, routers: int
) -> None:
    async with open_world() as world:
        await furnish_other(world)
        await flood(world, FLOOD)
        message_id = await say(world, NAMESPACE, 1)
        async with world.router():
            if routers == 1:
                await recorded(world, message_id)
                assert await waiting(bus, OTHER) > FLOOD // 2
            else:
                async with world.router():
                    await recorded(world, message_id)
                    assert await waiting(bus, OTHER) > FLOOD // 2


async def test_a_tenant_that_comes_is_read_and_waits_for_its_line(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world, world.router():
        await furnish_other(world)
        await delete_empty_line(bus.client, OTHER)
        message_id = await say(world, OTHER, 1)
        mine = await say(world, NAMESPACE, 1)
        await recorded(world, mine)
        assert await world.store.known(key_of(message_id, OTHER)) is None
        await ensure_line(bus.client, OTHER)
        await until(lambda: world.store.known(key_of(message_id, OTHER)))


async def unlabel(world: World) -> None:
    labels = {"metadata": {"labels": {TENANT_LABEL: None}}}
    await world.kube.patch(NAMESPACES, None, OTHER, labels)


async def test_who_writes_as_the_label_goes_is_told_and_nothing_comes_twice_when_it_is_back(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        await furnish_other(world)
        async with world.router():
            before = await say(world, OTHER, 1)
            await until(lambda: world.store.known(key_of(before, OTHER)))
            await settled(bus, OTHER)
            await unlabel(world)
        last = await say(world, OTHER, 2, "another")
        async with world.router():  # and it reads the line though nobody is served there
            await until(partial(ends_of, bus, OTHER, last))
            await settled(bus, OTHER)
        stored = await last_of(bus, OTHER)
        await furnish_label(world)
        await ensure_line(bus.client, OTHER)
        assert stored is not None
        assert (await bus.state(inbox_consumer(OTHER))).acknowledged >= stored.sequence
        async with world.router():
            again = await say(world, OTHER, 3)
            await until(lambda: world.store.known(key_of(again, OTHER)))
    (told,) = await ends_of(bus, OTHER, last)
    assert told.kind is OutboundKind.ERROR


async def furnish_label(world: World) -> None:
    labels = {"metadata": {"labels": {TENANT_LABEL: "true"}}}
    await world.kube.patch(NAMESPACES, None, OTHER, labels)


async def ends_of(bus: NatsBus, namespace: str, message_id: str) -> list[OutboundMessage]:
    """Return the ends of a message that a tenant's channel was told."""
    told = await shown_to(bus, namespace)
    return [
        one
        for one in told
        if one.message_id == message_id and one.kind is not OutboundKind.ACCEPTED
    ]


async def test_a_line_that_is_gone_is_read_no_more_and_read_again_when_it_is_back(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        await furnish_other(world)
        async with world.router() as health:
            await unlabel(world)
            assert await delete_empty_line(bus.client, OTHER)
            await furnish_label(world)
            await ensure_line(bus.client, OTHER)
            message_id = await say(world, OTHER, 1)
            await until(lambda: world.store.known(key_of(message_id, OTHER)))
            assert await health.missing() == ""


@pytest.mark.timeout(120)
async def test_a_killed_router_costs_neither_of_two_tenants_a_message(
    open_world: OpenWorld, bus: NatsBus, nats_server: NatsServer
) -> None:
    async with open_world() as world, asyncio.TaskGroup() as group:
        await furnish_other(world)
        agents = group.create_task(world.answer_every_run())
        said: dict[str, list[str]] = {NAMESPACE: [], OTHER: []}
        for start in (0, 20):
            async with process(world, nats_server) as router:
                for namespace, ids in said.items():
                    ids += [await say(world, namespace, start + n) for n in range(20)]
                await recorded(world, said[NAMESPACE][start])
                router.kill()
        async with process(world, nats_server):
            for namespace, ids in said.items():
                await until(partial(ends_of, bus, namespace, ids[-1]))
        agents.cancel()
    for namespace, ids in said.items():
        told = await shown_to(bus, namespace)
        ended = [one.message_id for one in told if one.kind is not OutboundKind.ACCEPTED]
        assert ended == ids


async def test_a_router_is_ready_only_when_every_tenant_of_its_start_has_a_line(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        await furnish_other(world)
        await delete_empty_line(bus.client, OTHER)
        stop, health = asyncio.Event(), Health()
        async with asyncio.TaskGroup() as group:
            router = Router(bus, world.kube, world.store)
            group.create_task(router.run(stop, health, keep=timedelta(days=90)))
            await recorded(world, await say(world, NAMESPACE, 1))
            assert await health.missing() == "messages are not received yet"
            await ensure_line(bus.client, OTHER)

            async def is_ready() -> bool:
                return not await health.missing()

            await until(is_ready)
            stop.set()


async def test_after_an_upgrade_what_was_unsettled_comes_once_and_the_earlier_line_keeps_up(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world, asyncio.TaskGroup() as group:
        await furnish_other(world)
        for namespace in (NAMESPACE, OTHER):
            assert await delete_empty_line(bus.client, namespace)
        await ensure_consumer(bus.client, EARLIER_INBOX_CONSUMER)
        agents = group.create_task(world.answer_every_run())
        said = {
            namespace: [await say(world, namespace, number) for number in range(5)]
            for namespace in (NAMESPACE, OTHER)
        }
        async with bus.consume(EARLIER_INBOX_CONSUMER) as deliveries:  # an earlier router, killed
            for _ in range(4):
                await anext(deliveries)
        for namespace in said:
            await ensure_line(bus.client, namespace)
        async with world.router():
            for namespace, ids in said.items():
                await until(partial(ends_of, bus, namespace, ids[-1]))
            stored = await last_of(bus, OTHER)
            assert stored is not None
            await until(partial(stands_at, bus, stored.sequence))
        agents.cancel()
    for namespace, ids in said.items():
        told = await shown_to(bus, namespace)
        assert [one.message_id for one in told if one.kind is OutboundKind.FINAL] == ids


async def test_what_is_not_settled_in_its_line_is_not_settled_in_the_earlier_one(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        await ensure_consumer(bus.client, EARLIER_INBOX_CONSUMER)
        following = earlier.EarlierLine(bus, lambda: True)
        line = inbox_consumer(NAMESPACE)
        async with bus.consume(line) as deliveries, asyncio.TaskGroup() as group:
            keeping = group.create_task(following.follow())
            for number in range(3):
                await say(world, NAMESPACE, number)
            first, second, third = [await anext(deliveries) for _ in range(3)]
            await first.ack()
            await third.ack()
            await until(lambda: stands_at(bus, first.sequence))
            assert (await bus.state(EARLIER_INBOX_CONSUMER)).acknowledged < second.sequence
            await second.ack()
            await until(lambda: stands_at(bus, third.sequence))
            keeping.cancel()


async def stands_at(bus: NatsBus, sequence: int) -> bool:
    return (await bus.state(EARLIER_INBOX_CONSUMER)).acknowledged >= sequence


async def test_what_is_in_no_line_is_left_to_earlier_routers(bus: NatsBus) -> None:
    await ensure_consumer(bus.client, EARLIER_INBOX_CONSUMER)
    await bus.publish(inbox("elsewhere", CHANNEL), b"{}", message_id="1")
    async with asyncio.TaskGroup() as group:
        ours = group.create_task(earlier.EarlierLine(bus, lambda: True).follow())
        await until(lambda: is_delivered(bus))
        async with bus.consume(EARLIER_INBOX_CONSUMER) as deliveries:  # an earlier router
            again = await anext(deliveries)
            assert again.attempt > 1
        ours.cancel()


async def is_delivered(bus: NatsBus) -> bool:
    return (await bus.state(EARLIER_INBOX_CONSUMER)).delivered > 0
