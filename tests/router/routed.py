"""A router's surroundings: a bus, an API server, a store, people, and somebody who ends runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from sympozium.bus.admin import ensure_consumer
from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import Bus
from sympozium.bus.suspects import Suspects
from sympozium.contract.crds import definition_objects
from sympozium.contract.envelope import decode, encode, unwrap, wrap
from sympozium.contract.messages import (
    Command,
    Entry,
    HistoryAnswer,
    HistoryRequest,
    InboundKind,
    InboundMessage,
    OutboundKind,
    OutboundMessage,
    Sender,
)
from sympozium.contract.names import ConversationId, MessageId, RunUid, run_name, web_message_id
from sympozium.contract.resources import (
    AGENT_RUNS,
    AGENTS,
    API_VERSION,
    CHANNELS,
    CUSTOM_RESOURCE_DEFINITIONS,
    Object,
)
from sympozium.contract.run_events import ContextAnswer
from sympozium.contract.subjects import context, history, inbox, outbox_consumer
from sympozium.kube.client import Kube, connect
from sympozium.kube.endpoint import Endpoint
from sympozium.kube.errors import NotFoundError
from sympozium.runtime.health import Health
from sympozium.store.ports import ChannelKey
from sympozium.store.sql import SqlStore, open_store
from sympozium_local.apiserver.server import serve
from sympozium_router.clock import utc_now
from sympozium_router.commands.commands import Commands
from sympozium_router.dead.again import Retries
from sympozium_router.dead.aside import Aside
from sympozium_router.dead.marks import StoreMarks
from sympozium_router.inbox.admission import Admission
from sympozium_router.inbox.amendments import Amendments
from sympozium_router.inbox.intake import Intake
from sympozium_router.inbox.lines import Lines
from sympozium_router.inbox.reception import Departments, Reception
from sympozium_router.outbox.outbox import Outbox
from sympozium_router.program import Router
from sympozium_router.runs.runs import Runs
from sympozium_router.world.cluster import Cluster
from tests.fixtures.nats_server import free_port
from tests.fixtures.tenants import make_tenant

NAMESPACE = "default"
CHANNEL = "web"
ANSWER_WITHIN_S = 15.0
"""A busy machine may stand still for seconds, and none of these tests is about that."""
ADA = Sender(platform="web", user_id="ada", display_name="Ada")


@dataclass
class Shown:
    """What the channel was told, in the order of the OUTBOX."""

    messages: list[OutboundMessage] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def follow(self, bus: NatsBus, channel: str) -> None:
        consumer = outbox_consumer(NAMESPACE, channel)
        await ensure_consumer(bus.client, consumer)
        async with bus.consume(consumer) as deliveries:
            async for delivery in deliveries:
                async with self._news:
                    self.messages.append(unwrap(delivery.data, OutboundMessage))
                    self.sequences.append(delivery.sequence)
                    self._news.notify_all()
                await delivery.ack()

    async def until(self, wanted: Callable[["Shown"], bool]) -> None:
        async with self._news:
            await self._news.wait_for(lambda: wanted(self))

    async def end_of(self, message_id: str) -> OutboundMessage:
        """Wait for the end of a message."""
        await self.until(lambda shown: bool(shown.ends(message_id)))
        return self.ends(message_id)[0]

    async def accepted(self, message_id: str) -> OutboundMessage:
        """Wait until a message is said to be worked on."""
        await self.until(lambda shown: bool(shown.of(message_id)))
        return self.of(message_id)[0]

    def of(self, message_id: str) -> list[OutboundMessage]:
        return [shown for shown in self.messages if shown.message_id == message_id]

    def ends(self, message_id: str) -> list[OutboundMessage]:
        return [shown for shown in self.of(message_id) if shown.kind is not OutboundKind.ACCEPTED]


class ApiServer:
    """A server over one folder and one port. It may be stopped and started again."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._port = free_port()
        self._running = AsyncExitStack()
        self.endpoint = Endpoint("")

    async def start(self) -> None:
        server = await self._running.enter_async_context(serve(self._data_dir, port=self._port))
        self.endpoint = Endpoint(server.url, server.ca_file, server.token_file)

    async def stop(self) -> None:
        await self._running.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


@dataclass
class World:
    """Everything around the router, and what people and the cluster do to it."""

    bus: NatsBus
    kube: Kube
    store: SqlStore
    api: ApiServer
    shown: Shown
    store_url: str
    now: datetime | None = None

    def clock(self) -> datetime:
        """Return the real time, unless a test has set another."""
        return self.now or utc_now()

    async def say(
        self,
        client_id: str,
        text: str = "hello",
        *,
        conversation: str = "c",
        sender: Sender = ADA,
        channel: str = CHANNEL,
        nats_id: str = "",
        **more: Any,
    ) -> MessageId:
        """Have a person say something; return its message id. *more* are fields of the message."""
        talk = ConversationId(conversation)
        message_id = web_message_id(NAMESPACE, channel, talk, client_id)
        message = InboundMessage(
            message_id=message_id,
            conversation=talk,
            sender=sender,
            text=text,
            time=self.clock(),
            **more,
        )
        data = wrap(message, id=message_id, time=utc_now())
        subject = inbox(NAMESPACE, channel)
        await self.bus.publish(subject, data, message_id=nats_id or message_id)
        return message_id

    async def command(self, client_id: str, name: str, arguments: str = "", **more: Any) -> str:
        """Have a person ask the system; return the message id."""
        asked = Command(name=name, arguments=arguments)
        return await self.say(client_id, "", kind=InboundKind.COMMAND, command=asked, **more)

    async def edit(self, client_id: str, target: MessageId, text: str, **more: Any) -> str:
        """Have a person change what they wrote; return the edit's id."""
        return await self.say(client_id, text, kind=InboundKind.EDIT, target=target, **more)

    async def delete(self, client_id: str, target: MessageId, **more: Any) -> str:
        """Have a person delete what they wrote; return the deletion's id."""
        return await self.say(client_id, "", kind=InboundKind.DELETE, target=target, **more)

    async def set_channel(self, **spec: Any) -> None:
        """Change the channel's spec. A router that runs sees it a moment later."""
        await self.kube.patch(CHANNELS, NAMESPACE, CHANNEL, {"spec": spec})

    async def run_of(self, message_id: str, channel: str = CHANNEL) -> Object:
        """Wait for the run of a message."""
        while True:
            try:
                name = run_name(channel, MessageId(message_id))
                return await self.kube.get(AGENT_RUNS, NAMESPACE, name)
            except NotFoundError:
                await asyncio.sleep(0.01)

    async def started(self, message_id: str, channel: str = CHANNEL) -> Object:
        """Return the run of a message, once the store knows it: nobody makes it again then."""
        run = await self.run_of(message_id, channel)
        owner, uid = ChannelKey(NAMESPACE, channel), RunUid(run["metadata"]["uid"])
        await until(lambda: self.store.is_run_of(owner, uid))
        return run

    async def end_run(self, run: Object, **status: Any) -> None:
        """Have the controller write a run's terminal status."""
        status.setdefault("phase", "Succeeded")
        namespace, name = run["metadata"]["namespace"], run["metadata"]["name"]
        await self.kube.patch(AGENT_RUNS, namespace, name, {"status": status}, subresource="status")

    async def answer(self, message_id: str, text: str) -> None:
        """Wait for the run of a message and have it answer."""
        await self.end_run(await self.run_of(message_id), result=text)

    async def answer_every_run(self) -> None:
        """Be a controller whose agents say `re: ` and their task, until cancelled."""
        listed = await self.kube.list(AGENT_RUNS)
        for run in listed.items:
            await self._echo(run)
        since = listed.resource_version
        while True:
            async for event in self.kube.watch(AGENT_RUNS, None, since=since):
                since = event.object["metadata"]["resourceVersion"]
                if event.type == "ADDED":
                    await self._echo(event.object)

    async def _echo(self, run: Object) -> None:
        if run.get("status", {}).get("phase", "Pending") == "Pending":
            await self.end_run(run, result="re: " + run["spec"]["task"])

    async def transcript(self, conversation: str = "c", channel: str = CHANNEL) -> list[Entry]:
        """Ask for a transcript as a channel does."""
        request = encode(HistoryRequest(conversation=ConversationId(conversation)))
        data = await self.bus.request(
            history(NAMESPACE, channel), request, timeout_s=ANSWER_WITHIN_S
        )
        answer = decode(data, HistoryAnswer)
        assert answer.error == ""
        return answer.entries

    async def context(self, uid: str, namespace: str = NAMESPACE) -> ContextAnswer:
        """Ask for a context as a run's bridge does."""
        data = await self.bus.request(
            context(namespace, RunUid(uid)), b"", timeout_s=ANSWER_WITHIN_S
        )
        return decode(data, ContextAnswer)

    @asynccontextmanager
    async def router(self, store: SqlStore | None = None) -> AsyncIterator[Health]:
        """Run a router until the block is left, ready at its beginning."""
        stop = asyncio.Event()
        health = Health()
        router = Router(self.bus, self.kube, store or self.store, clock=self.clock)
        async with asyncio.TaskGroup() as group:
            keep = timedelta(days=90)
            group.create_task(router.run(stop, health, keep=keep, drain_s=ANSWER_WITHIN_S))
            await until(lambda: _is_ready(health))
            yield health
            stop.set()


@dataclass
class Parts:
    """A router's parts that take and answer messages."""

    reception: Reception
    outbox: Outbox


def parts_of(
    world: World,
    cluster: Cluster,
    *,
    bus: Bus | None = None,
    store: SqlStore | None = None,
    reception_type: type[Reception] = Reception,
) -> Parts:
    """Put a router's parts together; who works when is up to the test."""
    through, store = bus or world.bus, store or world.store
    runs = Runs(through, store, cluster, world.clock)
    outbox = Outbox(through, store, cluster, runs, world.clock)
    departments = Departments(
        Admission(store, cluster, world.clock),
        Commands(store, cluster, world.clock),
        Amendments(store, runs, outbox.look_at),
        runs,
        Retries(store),
        Aside(through, store, cluster, world.clock),
        outbox.publish_end,
    )
    return Parts(reception_type(through, store, cluster, departments, world.clock), outbox)


@asynccontextmanager
async def routing(
    world: World, *, bus: Bus | None = None, reception_type: type[Reception] = Reception
) -> AsyncIterator[None]:
    """Run a router's intake and outbox, one of their parts replaced."""
    stop = asyncio.Event()
    through = bus or world.bus
    cluster = Cluster(world.kube)
    parts = parts_of(world, cluster, bus=bus, reception_type=reception_type)
    lines = Lines(through, world.store, cluster)
    suspects = Suspects(StoreMarks(world.store, world.clock))
    intake = Intake(lines, parts.reception, suspects, parts.outbox.look_at)
    async with asyncio.TaskGroup() as group:
        group.create_task(cluster.follow(stop))
        await cluster.wait_until_synced()
        group.create_task(parts.outbox.run(stop))
        group.create_task(intake.run(stop))

        async def is_receiving() -> bool:
            return intake.is_receiving

        await until(is_receiving)
        yield
        stop.set()


async def _is_ready(health: Health) -> bool:
    return not await health.missing()


async def until(is_so: Callable[[], Awaitable[object]]) -> None:
    """Wait for what nobody tells us of."""
    while not await is_so():  # noqa: ASYNC110 - the other side has no event
        await asyncio.sleep(0.01)


@asynccontextmanager
async def a_world(tmp_path: Path, bus: NatsBus, store_url: str = "") -> AsyncIterator[World]:
    """Yield a world with one agent `helper` and one channel `web` for everybody; no router."""
    store_url = store_url or f"sqlite:///{tmp_path}/router.db"
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(ApiServer(tmp_path / "cluster"))
        kube = await stack.enter_async_context(connect(api.endpoint))
        store = await stack.enter_async_context(open_store(store_url))
        await furnish(kube)
        world = World(bus, kube, store, api, Shown(), store_url)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(world.shown.follow(bus, CHANNEL))
            yield world
            following.cancel()


async def furnish(kube: Kube) -> None:
    """Create the kinds, an agent and a channel."""
    for definition in definition_objects():
        await kube.create(CUSTOM_RESOURCE_DEFINITIONS, definition)
    while True:
        try:
            await kube.list(AGENT_RUNS)
            break
        except NotFoundError:
            await asyncio.sleep(0.01)
    await make_tenant(kube, NAMESPACE)
    await kube.create(AGENTS, agent())
    await kube.create(CHANNELS, channel())


def agent(name: str = "helper", **config: Any) -> Object:
    """Return an Agent."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Agent",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "agents": {"default": {"model": "demo", **config}},
            "skills": [{"skillPackRef": "cluster-reader"}],
        },
    }


def channel(
    name: str = CHANNEL, agent_ref: str = "helper", users: tuple[str, ...] = ("*",)
) -> Object:
    """Return a Channel."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Channel",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"type": "web", "agentRef": agent_ref, "access": {"users": list(users)}},
    }


def moment(text: str) -> datetime:
    """Return a time of day in a fixed year, aware."""
    return datetime.fromisoformat(f"2030-01-01T{text}").replace(tzinfo=UTC)
