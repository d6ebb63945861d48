"""Two tenants with channels of the same name and kind, and conversations of the same name."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from sympozium.bus.lines import ensure_line
from sympozium.bus.nats import NatsBus
from sympozium.contract.envelope import unwrap, wrap
from sympozium.contract.messages import InboundMessage, OutboundKind, OutboundMessage
from sympozium.contract.names import ConversationId, web_message_id
from sympozium.contract.resources import AGENT_RUNS, AGENTS, CHANNELS
from sympozium.contract.subjects import OUTBOX, inbox, outbox
from sympozium_router.clock import utc_now
from tests.fixtures.tenants import make_tenant
from tests.router.routed import ADA, CHANNEL, NAMESPACE, World, agent, channel

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]
OTHER = "tenant-b"
COUNT = 10


async def furnish_other(world: World) -> None:
    """Have a second tenant with an agent and a channel of the same names, and a line."""
    await ensure_line(world.bus.client, OTHER)
    await make_tenant(world.kube, OTHER)
    for kind, obj in ((AGENTS, agent()), (CHANNELS, channel())):
        obj["metadata"]["namespace"] = OTHER
        await world.kube.create(kind, obj)


async def say(world: World, namespace: str, number: int, conversation: str = "c") -> str:
    """Have somebody write to one tenant's channel, in a conversation that both have."""
    talk = ConversationId(conversation)
    message = InboundMessage(
        message_id=web_message_id(namespace, CHANNEL, talk, str(number)),
        conversation=talk,
        sender=ADA,
        text=f"{number} for {namespace}",
        time=utc_now(),
    )
    data = wrap(message, id=message.message_id, time=utc_now())
    await world.bus.publish(inbox(namespace, CHANNEL), data, message_id=message.message_id)
    return message.message_id


async def shown_to(bus: NatsBus, namespace: str) -> list[OutboundMessage]:
    """Return what one tenant's channel was told."""
    found: list[OutboundMessage] = []
    since = 1
    while stored := await bus.next(OUTBOX, outbox(namespace, CHANNEL), since=since):
        found.append(unwrap(stored.data, OutboundMessage))
        since = stored.sequence + 1
    return found


async def test_answers_of_two_tenants_never_meet(open_world: OpenWorld, bus: NatsBus) -> None:
    async with open_world() as world, world.router(), asyncio.TaskGroup() as group:
        await furnish_other(world)
        agents = group.create_task(world.answer_every_run())
        said = {
            namespace: [await say(world, namespace, number) for number in range(COUNT)]
            for namespace in (NAMESPACE, OTHER)
        }
        ends: dict[str, list[OutboundMessage]] = {}
        while any(len(ends.get(one, [])) < COUNT for one in said):
            for one in said:
                told = await shown_to(bus, one)
                ends[one] = [end for end in told if end.kind is not OutboundKind.ACCEPTED]
        agents.cancel()
        runs = (await world.kube.list(AGENT_RUNS)).items
    for namespace, messages in said.items():
        assert [end.message_id for end in ends[namespace]] == messages
        texts = [f"re: {number} for {namespace}" for number in range(COUNT)]
        assert [end.text for end in ends[namespace]] == texts
        assert sum(run["metadata"]["namespace"] == namespace for run in runs) == COUNT
