"""What is stopped or taken back while a router is between reading a message and acting on it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec
import pytest
from typing_extensions import override

from sympozium.contract.messages import Command, InboundKind, InboundMessage, OutboundKind
from sympozium.contract.names import ConversationId, MessageId, web_message_id
from sympozium.contract.resources import Object
from sympozium.store.ports import Conversation, Message
from sympozium.store.sql import SqlStore
from sympozium_router.inbox.letters import Letter
from sympozium_router.outbox import outbox
from sympozium_router.world.cluster import Cluster
from sympozium_router.world.held import is_terminal
from tests.router.routed import ADA, CHANNEL, NAMESPACE, Parts, World, parts_of, until
from tests.router.test_modes import is_cancelled

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]
Meanwhile = Callable[[], Awaitable[None]]

TALK = ConversationId("c")
CONVERSATION = Conversation(NAMESPACE, CHANNEL, TALK)


class DeadError(Exception):
    """This router is no more."""


class ClusterOfDying(Cluster):
    """Is slow to make a run, and dies when it is made."""

    meanwhile: Meanwhile | None = None

    @override
    async def create_run(self, run: Object) -> Object:
        """Create a run after what happens meanwhile."""
        if self.meanwhile is None:
            return await super().create_run(run)
        await self.meanwhile()
        await super().create_run(run)
        raise DeadError


class StoreBehind(SqlStore):
    """Has read what is open when somebody changes that."""

    meanwhile: Meanwhile | None = None

    @override
    async def open_messages(self, conversation: Conversation, *, limit: int) -> list[Message]:
        """Return what was so before the change."""
        found = await super().open_messages(conversation, limit=limit)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return found


def id_of(sequence: int) -> MessageId:
    return web_message_id(NAMESPACE, CHANNEL, TALK, str(sequence))


async def give(world: World, to: Parts, sequence: int, **fields: object) -> MessageId:
    """Have a router handle one message."""
    said = InboundMessage(
        message_id=id_of(sequence),
        conversation=TALK,
        sender=ADA,
        text=f"text {sequence}",
        time=world.clock(),
    )
    inbound = msgspec.structs.replace(said, **fields)
    await to.reception.give(Letter(sequence, NAMESPACE, CHANNEL, inbound), inbound)
    return inbound.message_id


@asynccontextmanager
async def followed(*clusters: Cluster) -> AsyncIterator[None]:
    """Keep the copies of two routers up while the block lasts."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for cluster in clusters:
            group.create_task(cluster.follow(stop))
            await cluster.wait_until_synced()
        yield
        stop.set()


async def is_seen_ended(cluster: Cluster, run: Object) -> bool:
    known = cluster.known_run(NAMESPACE, run["metadata"]["name"])
    return known is not None and is_terminal(known)


async def comes_true(is_so: Callable[[], Awaitable[object]], *, within_s: float) -> bool:
    """Return whether something is so within a time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await until(is_so)
            return True
    return False


async def test_a_run_that_a_dying_router_made_after_its_message_was_stopped_is_ended(
    open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LOOK_AT_ALL_EVERY_S", 0.05)
    async with open_world() as world:
        await world.set_channel(mode="collect")
        slow, quick = ClusterOfDying(world.kube), Cluster(world.kube)
        async with followed(slow, quick):
            dying, other = parts_of(world, slow), parts_of(world, quick)
            first, second = [await give(world, dying, n) for n in (1, 2)]
            run = await world.run_of(first)
            await world.end_run(run, result="uno")
            await until(lambda: is_seen_ended(slow, run))

            async def stopped() -> None:
                await give(world, other, 3, kind=InboundKind.COMMAND, command=Command(name="stop"))
                await other.outbox.publish_ends(CONVERSATION)
                await world.shown.end_of(second)

            slow.meanwhile = stopped
            with pytest.raises(DeadError):
                await dying.outbox.publish_ends(CONVERSATION)
        made = await world.run_of(second)
        async with world.router():
            await world.shown.end_of(await world.command("barrier", "help"))
            is_ended = await comes_true(lambda: is_cancelled(world, made), within_s=20)
    told = world.shown.ends(second)[0].error
    assert told is not None
    assert told.code == "Cancelled"
    assert is_ended, "a run that was stopped is worked on"


async def test_a_message_that_was_taken_back_is_not_answered_by_who_had_read_it_before(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        slow, quick = Cluster(world.kube), Cluster(world.kube)
        async with followed(slow, quick):
            store = StoreBehind(world.store._database)
            behind, other = parts_of(world, slow, store=store), parts_of(world, quick)
            message_id = await give(world, other, 1)
            run = await world.run_of(message_id)

            async def taken_back() -> None:
                await give(world, other, 2, text="", kind=InboundKind.DELETE, target=message_id)
                await world.end_run(run, result="it was faster")
                await until(lambda: is_seen_ended(slow, run))

            store.meanwhile = taken_back
            await behind.outbox.publish_ends(CONVERSATION)
            await other.outbox.publish_ends(CONVERSATION)
        end = await world.shown.end_of(message_id)
    assert (end.kind, end.text) == (OutboundKind.DROPPED, "")
