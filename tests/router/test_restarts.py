import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import aiohttp
import pytest

from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import Bus, Delivery
from sympozium.bus.pull import PulledDelivery
from sympozium.contract.agentrun import Source
from sympozium.contract.messages import InboundMessage, OutboundKind
from sympozium.contract.names import ConversationId, MessageId
from sympozium.contract.new_run import build_run
from sympozium.contract.resources import AGENT_RUNS, Object
from sympozium.contract.subjects import Consumer, inbox, inbox_consumer
from sympozium.store.ports import Conversation, Cut, End, Message
from sympozium_router.clock import utc_now
from sympozium_router.inbox.backlog import Backlog
from sympozium_router.inbox.letters import read_letter
from sympozium_router.outbox import outbox
from sympozium_router.outbox.published import Published
from sympozium_router.runs.runs import Runs
from sympozium_router.runs.turns import with_run
from sympozium_router.world.cluster import Cluster
from tests.fixtures.nats_server import NatsServer, free_port
from tests.router.routed import ADA, CHANNEL, NAMESPACE, World, agent, routing, until
from tests.router.test_modes import end_cancelled, is_cancelled

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]
LINE = inbox_consumer(NAMESPACE)


async def test_what_a_dead_router_held_is_handled_at_once_and_before_what_followed(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        async with bus.consume(LINE) as deliveries:  # held for 30 s by somebody dead
            held = [await world.say(str(n)) for n in range(3)]
            for _ in held:
                await anext(deliveries)
        ids = [*held, *[await world.say(str(n)) for n in range(3, 6)]]
        async with world.router(), asyncio.TaskGroup() as group:
            agents = group.create_task(world.answer_every_run())
            await world.shown.end_of(ids[-1])
            agents.cancel()
    ends = [shown for shown in world.shown.messages if shown.kind is OutboundKind.FINAL]
    assert [shown.message_id for shown in ends] == ids
    assert len(world.shown.messages) == 2 * len(ids)


async def test_a_router_reads_what_another_one_holds_before_it_goes_on(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        backlog = Backlog(bus, world.store, NAMESPACE)
        assert await backlog.at_start() == []
        for n in range(1, 6):
            await world.say(str(n))
        assert [stored.sequence for stored in await backlog.before(3)] == [1, 2]
        assert await backlog.before(1) == []
        assert await backlog.before(4) == []
        assert [stored.sequence for stored in await backlog.before(6)] == [5]


async def test_what_others_were_given_is_read_though_something_came_again_meanwhile(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        backlog = Backlog(bus, world.store, NAMESPACE)
        assert await backlog.at_start() == []
        for n in range(1, 6):
            await world.say(str(n))
        assert await backlog.before(1) == []
        assert await backlog.before(1, follows=False) == []  # and 2 went to another before
        assert [stored.sequence for stored in await backlog.before(3, follows=True)] == [2]
        assert await backlog.before(5, follows=True) == []


async def test_messages_of_other_namespaces_are_not_read(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        backlog = Backlog(bus, world.store, NAMESPACE)
        assert await backlog.at_start() == []
        for n in range(1, 4):
            await world.say(str(n))
            await bus.publish(inbox("other", CHANNEL), b"{}", message_id=str(n))
        assert [stored.sequence for stored in await backlog.before(7)] == [1, 3, 5]


async def test_a_router_does_not_read_again_what_the_store_knows_to_be_handled(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        async with world.router():
            for n in range(3):
                await world.shown.accepted(await world.say(str(n)))
        backlog = Backlog(bus, world.store, NAMESPACE)
        assert await backlog.before(5) == []


class HalfABus:
    """A bus of which another router, who will die, gets every odd message."""

    def __init__(self, bus: NatsBus) -> None:
        self._bus = bus

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    @asynccontextmanager
    async def consume(self, consumer: Consumer) -> AsyncIterator[AsyncIterator[Delivery]]:
        async with self._bus.consume(consumer) as deliveries:
            yield self._every_second(deliveries)

    async def _every_second(self, deliveries: AsyncIterator[Delivery]) -> AsyncIterator[Delivery]:
        async for delivery in deliveries:
            if delivery.sequence % 2 == 0:
                cast(PulledDelivery, delivery).follows = False
                yield delivery


async def test_a_message_that_another_router_holds_is_handled_before_what_follows_it(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    half = cast(Bus, HalfABus(bus))
    async with open_world() as world, routing(world, bus=half), asyncio.TaskGroup() as group:
        agents = group.create_task(world.answer_every_run())
        ids = [await world.say(str(n)) for n in range(1, 5)]
        held = await world.say("5", conversation="held by the other alone")
        behind = [await world.say(str(n)) for n in range(6, 9)]
        await world.shown.end_of(behind[-1])
        agents.cancel()
    shown = [one.message_id for one in world.shown.messages if one.kind is OutboundKind.FINAL]
    assert shown == [*ids, *behind]
    assert world.shown.of(held) == []


async def test_replies_that_came_while_no_router_was_there_are_published(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        async with world.router():
            first, second, third = [await world.say(str(n)) for n in range(3)]
            runs = [await world.run_of(message_id) for message_id in (first, second, third)]
            await world.shown.accepted(third)
        await world.end_run(runs[2], result="third")
        await world.kube.delete(AGENT_RUNS, NAMESPACE, runs[1]["metadata"]["name"])
        await world.end_run(runs[0], result="first")
        async with world.router():
            await world.shown.end_of(third)
    ends = [shown for shown in world.shown.messages if shown.kind is not OutboundKind.ACCEPTED]
    assert [end.message_id for end in ends] == [first, second, third]
    assert [end.text for end in ends] == ["first", "", "third"]


async def test_an_api_server_that_is_away_holds_messages_and_loses_none(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        before = await world.say("1")
        await world.shown.accepted(before)
        await world.api.stop()
        ids = [await world.say(str(n), conversation=f"c{n}") for n in range(2, 5)]
        states: list[str] = []
        while states != ["stored"]:
            states = [entry.state for entry in await world.transcript("c4")]
        await world.api.start()
        for message_id in (before, *ids):
            await world.answer(message_id, "hi")
            await world.shown.end_of(message_id)
    assert all(len(world.shown.of(message_id)) == 2 for message_id in (before, *ids))


async def test_a_bus_that_is_away_holds_replies_and_loses_none(
    open_world: OpenWorld, nats_server: NatsServer
) -> None:
    async with open_world() as world, world.router():
        message_id = await world.say("1")
        run = await world.run_of(message_id)
        await world.shown.accepted(message_id)
        nats_server.kill()
        await world.end_run(run, result="hi")
        conversation = Conversation(NAMESPACE, "web", ConversationId("c"))
        await until(lambda: world.store.last_end(conversation, before=2))
        await nats_server.start()
        await world.shown.end_of(message_id)
    assert len(world.shown.ends(message_id)) == 1


async def test_two_routers_give_each_message_one_run_and_one_end(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router(), world.router(), asyncio.TaskGroup() as group:
        agents = group.create_task(world.answer_every_run())
        said = [
            await world.say(str(n), conversation=f"c{n % 5}", nats_id=f"{n}-{copy}")
            for n in range(20)
            for copy in range(2)
        ]
        await world.shown.until(lambda shown: all(shown.ends(id_) for id_ in said))
        agents.cancel()
        runs = (await world.kube.list(AGENT_RUNS)).items
    assert len(runs) == 20
    assert len(world.shown.messages) == 40


async def is_ready(session: aiohttp.ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


@asynccontextmanager
async def process(world: World, nats: NatsServer) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the router as the process that it is in a pod; kill it at the end."""
    endpoint, port = world.api.endpoint, free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "SYMPOZIUM_NATS_URL": nats.url,
        "SYMPOZIUM_STORE_URL": world.store_url,
        "SYMPOZIUM_HEALTH_PORT": str(port),
        "SYMPOZIUM_KUBE_URL": endpoint.url,
        "SYMPOZIUM_KUBE_CA": str(endpoint.ca_file),
        "SYMPOZIUM_KUBE_TOKEN": str(endpoint.token_file),
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sympozium_router", env=environ
    )
    try:
        async with aiohttp.ClientSession() as session:
            await until(lambda: is_ready(session, port))
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("mode", ["queue", "collect", "steer", "interrupt"])
async def test_killed_again_and_again_it_loses_nothing_and_keeps_the_order(
    open_world: OpenWorld, nats_server: NatsServer, mode: str
) -> None:
    async with open_world() as world, asyncio.TaskGroup() as group:
        await world.set_channel(mode=mode)
        agents = group.create_task(world.answer_every_run())
        ids = []
        for start in range(3):
            async with process(world, nats_server) as router:
                said = [
                    await world.say(f"{start}-{n}", conversation=f"c{n % 4}") for n in range(40)
                ]
                ids += said
                await world.shown.accepted(said[3])
                router.kill()
        async with process(world, nats_server):
            await world.shown.until(lambda shown: all(shown.ends(id_) for id_ in ids))
        agents.cancel()
    for conversation in ("c0", "c1", "c2", "c3"):
        ends = [
            shown.message_id
            for shown in world.shown.messages
            if shown.kind is not OutboundKind.ACCEPTED and shown.conversation == conversation
        ]
        assert ends == [id_ for id_ in ids if f":{conversation}:" in id_]
    assert all(len(world.shown.ends(id_)) == 1 for id_ in ids)
    if mode == "queue":
        assert len(world.shown.messages) == 2 * len(ids)


async def test_told_to_stop_it_ends_cleanly(open_world: OpenWorld, nats_server: NatsServer) -> None:
    async with open_world() as world, process(world, nats_server) as router:
        router.send_signal(signal.SIGTERM)
        assert await router.wait() == 0


async def test_without_settings_it_says_what_is_missing() -> None:
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sympozium_router", env={}, stderr=asyncio.subprocess.PIPE
    )
    _, said = await started.communicate()
    assert started.returncode == 78
    assert b"SYMPOZIUM_NATS_URL is not set" in said


async def test_an_end_that_was_published_before_a_long_outage_is_found_in_the_outbox(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        async with world.router():
            first, second = await world.say("1"), await world.say("2")
            await world.shown.accepted(second)
            await world.answer(first, "hi")
            await world.shown.end_of(first)
        conversation = Conversation(NAMESPACE, "web", ConversationId("c"))
        known, waiting = await world.store.transcript(conversation, limit=2)
        ended = replace(waiting, end=End(time=known.recorded_at, text="not yet published"))
        published, later = Published(bus), utc_now() + timedelta(minutes=20)
        assert await published.sequence(known, now=later) == known.outbox_sequence
        assert await published.sequence(ended, now=later) == 0
        assert await published.sequence(known, now=utc_now()) == 0  # the bus itself can tell
        assert second == waiting.inbound.message_id


async def test_a_message_that_will_never_come_again_gets_its_run_all_the_same(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        message_id = await world.say("1")
        async with bus.consume(LINE) as deliveries:  # settled by somebody, without a run
            delivery = await anext(deliveries)
            await delivery.ack()
            await bus.client.flush()
        letter = read_letter(delivery.subject, delivery.sequence, delivery.data)
        assert letter.inbound is not None
        long_ago = utc_now() - timedelta(minutes=2)
        await world.store.record(
            Message(NAMESPACE, "web", letter.inbound, letter.sequence, long_ago, "helper")
        )
        async with world.router():
            await world.answer(message_id, "hi")
            end = await world.shown.end_of(message_id)
    assert end.text == "hi"


def row(sequence: int, **fields: Any) -> Message:
    """Return a message as a router stores it."""
    inbound = InboundMessage(
        message_id=MessageId(f"m{sequence}"),
        conversation=ConversationId("c"),
        sender=ADA,
        text="hello",
        time=utc_now(),
    )
    stored = Message(NAMESPACE, CHANNEL, inbound, sequence, utc_now(), agent="helper")
    return replace(stored, **fields)


async def test_what_another_router_stored_and_did_not_live_to_look_at_is_found(
    open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LOOK_AT_ALL_EVERY_S", 0.05)
    async with open_world() as world, world.router():
        waiting = await world.store.record(row(1))
        await world.answer(waiting.id, "hi")
        assert (await world.shown.end_of(waiting.id)).text == "hi"


async def test_a_message_that_is_stopped_before_its_run_was_made_gets_none(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        stopped = await world.store.record(replace(with_run(row(1)), cut=Cut.STOPPED))
        async with world.router():
            end = await world.shown.end_of(stopped.id)
            assert (await world.kube.list(AGENT_RUNS)).items == []
    assert end.error is not None
    assert end.error.code == "Cancelled"


async def made_unnoted(world: World, message: Message) -> Object:
    """Make the run of *message* as a router does that dies before it notes it."""
    source = Source(
        channel=CHANNEL,
        conversation=message.inbound.conversation,
        message_id=message.id,
        sequence=1,
        sender=ADA,
    )
    made = build_run(agent(), name=message.run_name, task="hello", source=source)
    return await world.kube.create(AGENT_RUNS, made)


async def test_a_run_that_was_made_all_the_same_is_ended_before_its_message(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        stopped = await world.store.record(replace(with_run(row(1)), cut=Cut.STOPPED))
        run = await made_unnoted(world, stopped)
        async with world.router():
            await end_cancelled(world, run)
            end = await world.shown.end_of(stopped.id)
    assert end.error is not None
    assert end.run_uid == run["metadata"]["uid"]


async def test_a_run_that_was_over_before_its_router_could_note_it_is_answered_at_once(
    open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LOOK_AT_ALL_EVERY_S", 3600.0)
    async with open_world() as world:
        waiting = await world.store.record(with_run(row(1)))
        await world.end_run(await made_unnoted(world, waiting), result="hi")
        async with world.router():
            assert (await world.shown.end_of(waiting.id)).text == "hi"


async def test_a_run_that_was_made_for_a_message_that_ended_meanwhile_is_ended(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        waiting = await world.store.record(with_run(row(1)))
        stop, cluster = asyncio.Event(), Cluster(world.kube)
        async with asyncio.TaskGroup() as group:
            group.create_task(cluster.follow(stop))
            await cluster.wait_until_synced()
            runs = Runs(world.bus, world.store, cluster, utc_now)
            await world.store.finish(waiting.key, End(utc_now(), "ended elsewhere"))
            await runs.start(waiting, [waiting])
            assert await is_cancelled(world, await world.run_of(waiting.id))
            stop.set()
        async with world.router():
            await world.shown.end_of(waiting.id)
    assert [shown.kind for shown in world.shown.of(waiting.id)] == [OutboundKind.FINAL]


async def test_a_store_that_is_locked_holds_messages_and_loses_none(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        path = world.store_url.removeprefix("sqlite:///")
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        message_id = await world.say("1")
        assert await world.transcript() == []
        blocker.execute("COMMIT")
        blocker.close()
        await world.answer(message_id, "hi")
        await world.shown.end_of(message_id)
    assert len(world.shown.of(message_id)) == 2


async def test_any_text_comes_through_as_it_was_written(open_world: OpenWorld) -> None:
    text = "a NUL \x00, a \u202e, a 🦊 and a \\ in it\r\n"
    async with open_world() as world, world.router():
        message_id = await world.say("1", text)
        run = await world.run_of(message_id)
        await world.end_run(run, result="re: " + text)
        final = await world.shown.end_of(message_id)
    assert (run["spec"]["task"], final.text) == (text, "re: " + text)
