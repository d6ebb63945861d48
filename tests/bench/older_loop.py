"""A port of the older implementation's consume loop, written only to be compared with.

As there: an ephemeral consumer that begins at new messages, the acknowledgement
before the work, a random name for the run, one message after the other, replies
only to completions that it hears of, every AgentRun listed for each of them, and
no message ids. It is no part of the product. Its settings are those of the router.
"""

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig, DeliverPolicy

from sympozium.bus.nats import Address
from sympozium.bus.nats import connect as connect_bus
from sympozium.contract.agentrun import Source
from sympozium.contract.envelope import unwrap, wrap
from sympozium.contract.errors import SympoziumError
from sympozium.contract.messages import InboundMessage, OutboundKind, OutboundMessage
from sympozium.contract.names import ConversationId, MessageId
from sympozium.contract.new_run import build_run
from sympozium.contract.resources import AGENT_RUNS, AGENTS
from sympozium.contract.run_events import Result, recorded_event
from sympozium.contract.subjects import INBOX, RUNS, outbox, reply_prefix, run_of
from sympozium.kube.client import Kube
from sympozium.kube.client import connect as connect_kube
from sympozium_router.settings import read_settings

NAMESPACE = "default"
AGENT = "helper"
READY = "ready"

Handle = Callable[[Msg], Awaitable[None]]


class OlderLoop:
    """Consumes messages and completions, each kind one after the other."""

    def __init__(self, client: Client, kube: Kube) -> None:
        self._client = client
        self._kube = kube

    async def run(self) -> None:
        """Consume until the process is killed."""
        new = ConsumerConfig(deliver_policy=DeliverPolicy.NEW)
        stream = self._client.jetstream()
        messages = await stream.subscribe("inbox.>", stream=INBOX, config=new, manual_ack=True)
        ends = await stream.subscribe("runs.*.*.out", stream=RUNS, config=new, manual_ack=True)
        print(READY, flush=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(_consume(messages.messages, self._create_run))
            group.create_task(_consume(ends.messages, self._reply))

    async def _create_run(self, message: Msg) -> None:
        inbound = unwrap(message.data, InboundMessage)
        agent = await self._kube.get(AGENTS, NAMESPACE, AGENT)
        source = Source(
            channel=message.subject.rpartition(".")[2],
            conversation=inbound.conversation,
            message_id=inbound.message_id,
            sequence=message.metadata.sequence.stream,
            sender=inbound.sender,
        )
        name = f"run-{secrets.token_hex(5)}"
        run = build_run(agent, name=name, task=inbound.text, source=source)
        await self._kube.create(AGENT_RUNS, run)

    async def _reply(self, message: Msg) -> None:
        event = recorded_event(message.data)
        namespace, uid = run_of(message.subject)
        runs = (await self._kube.list(AGENT_RUNS, namespace)).items  # all of them, as there
        run = next((run for run in runs if run["metadata"]["uid"] == uid), None)
        if run is None or not isinstance(event, Result):
            return
        source = run["spec"]["source"]
        shown = OutboundMessage(
            kind=OutboundKind.FINAL,
            message_id=MessageId(source["messageId"]),
            conversation=ConversationId(source["conversation"]),
            run_name=run["metadata"]["name"],
            text=event.text,
        )
        data = wrap(shown, id=uuid.uuid4().hex, time=datetime.now(UTC))
        await self._client.jetstream().publish(outbox(namespace, source["channel"]), data)


async def _consume(messages: AsyncIterator[Msg], handle: Handle) -> None:
    async for message in messages:
        try:
            await message.ack()  # before the work, as there
            await handle(message)
        except (SympoziumError, NatsError, TimeoutError) as error:
            print(f"not handled: {type(error).__name__}", flush=True)  # and forgotten, as there


async def main() -> None:
    """Connect as the router does, and consume."""
    settings = read_settings()
    address = Address(settings.nats_url, "older-loop", reply_prefix("router"))
    async with connect_bus(address) as bus, connect_kube(settings.endpoint()) as kube:
        await OlderLoop(bus.client, kube).run()


if __name__ == "__main__":
    asyncio.run(main())
