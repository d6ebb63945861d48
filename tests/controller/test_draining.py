"""A deleted Channel: what was taken in is answered and shown, and then its program goes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sympozium.bus.admin import channel_consumers
from sympozium.bus.nats import NatsBus
from sympozium.contract.dead_letters import read_headers
from sympozium.contract.envelope import unwrap, wrap
from sympozium.contract.messages import InboundMessage, OutboundKind, OutboundMessage, Sender
from sympozium.contract.names import ConversationId, MessageId, run_name, web_message_id
from sympozium.contract.resources import (
    AGENT_RUNS,
    CHANNELS,
    DEPLOYMENTS,
    NETWORK_POLICIES,
    SERVICE_ACCOUNTS,
    SERVICES,
    Object,
)
from sympozium.contract.run_events import Result
from sympozium.contract.subjects import DEAD, OUTBOX, dead, inbox, outbox_consumer
from sympozium.contract.times import parse_kube_time
from sympozium.kube.errors import NotFoundError
from sympozium_controller.channels import draining
from sympozium_controller.channels.draining import (
    DRAINING_ANNOTATION,
    REASON,
    draining_since,
    patience_ends,
)
from sympozium_controller.settings import Settings
from sympozium_controller.tenants import clearing
from tests.controller.cluster import NAMESPACE, Cluster, controller, say
from tests.controller.routers import a_router
from tests.controller.test_channels import create_channel
from tests.fixtures.nats_server import NatsServer
from tests.tenants.namespaces import label, until

CONSUMER = "channel_default_web"
TALK = ConversationId("c")
WITHIN_S = 60.0
LONG_AGO = "2026-01-02T03:04:05Z"

pytestmark = pytest.mark.timeout(120)


@dataclass
class Chat:
    """A cluster with controller and router, in which the test is the people and the programs."""

    cluster: Cluster
    bus: NatsBus
    shown: list[OutboundMessage] = field(default_factory=list)

    async def ask(self, id_: str) -> tuple[MessageId, Object]:
        """Have a person ask something; return the message's id, and its run at work."""
        message_id = web_message_id(NAMESPACE, "web", TALK, id_)
        now = datetime.now(UTC)
        sender = Sender(platform="web", user_id="ada")
        message = InboundMessage(
            message_id=message_id, conversation=TALK, sender=sender, text="hello", time=now
        )
        data = wrap(message, id=message_id, time=now)
        await self.bus.publish(inbox(NAMESPACE, "web"), data, message_id=message_id)
        name = run_name("web", message_id)
        await self.cluster.job(name)
        return message_id, await self.cluster.kube.get(AGENT_RUNS, NAMESPACE, name)

    async def answer(self, run: Object) -> None:
        """Have the agent of a run answer."""
        await say(self.bus, run, Result(text="it is this"))

    async def show(self) -> OutboundMessage:
        """Be the channel's program until an end is shown; return it."""
        consumer = outbox_consumer(NAMESPACE, "web")
        async with self.bus.consume(consumer) as deliveries:
            async for delivery in deliveries:
                message = unwrap(delivery.data, OutboundMessage)
                await delivery.ack()
                if message.kind is not OutboundKind.ACCEPTED:
                    return message
        raise AssertionError("the deliveries ended")

    async def delete_channel(self) -> None:
        """Delete the Channel."""
        await self.cluster.kube.delete(CHANNELS, NAMESPACE, "web")

    async def drains(self) -> Object:
        """Return the Deployment once it only shows what is owed."""
        return await self.cluster.until(
            DEPLOYMENTS, "channel-web", lambda held: draining_since(held) is not None
        )

    async def has_deployment(self) -> bool:
        """Return whether the program is wanted."""
        return await self.cluster.exists(DEPLOYMENTS, "channel-web")

    async def until_gone(self) -> None:
        """Return when nothing of the channel is left, neither in the cluster nor on the bus."""
        names = {"channel-web", "sympozium-channel-web"}

        async def is_gone() -> bool:
            for kind in (DEPLOYMENTS, SERVICES, NETWORK_POLICIES, SERVICE_ACCOUNTS):
                found = (await self.cluster.kube.list(kind, NAMESPACE)).items
                if names & {one["metadata"]["name"] for one in found}:
                    return False
            return CONSUMER not in await channel_consumers(self.bus.client)

        await until(is_gone, within_s=WITHIN_S)

    async def a_look_passed(self) -> None:
        """Return when the controller has looked at whatever drains once more.

        Another channel was made, deleted and is gone, which takes several looks.
        """
        await create_channel(self.cluster, "zebra", port=8499)
        await self.cluster.until(DEPLOYMENTS, "channel-zebra", bool)
        await self.cluster.kube.delete(CHANNELS, NAMESPACE, "zebra")

        async def is_gone() -> bool:
            return "channel_default_zebra" not in await channel_consumers(self.bus.client)

        await until(is_gone, within_s=WITHIN_S)


async def a_channel(cluster: Cluster) -> None:
    """Make a web channel for everybody, and the agent that answers there."""
    await cluster.create_agent()
    await create_channel(cluster)
    await cluster.kube.patch(CHANNELS, NAMESPACE, "web", {"spec": {"access": {"users": ["*"]}}})
    await cluster.until(DEPLOYMENTS, "channel-web", bool)


@pytest.fixture
async def chat(controlled: Cluster, bus: NatsBus, tmp_path: Path) -> AsyncIterator[Chat]:
    """A web channel, a controller and a router."""
    await a_channel(controlled)
    async with a_router(controlled, bus, tmp_path):
        yield Chat(controlled, bus)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a channel that has no run at work go at once, whatever it owes."""
    monkeypatch.setattr(draining, "PATIENCE", timedelta(0))


async def dead_letters(bus: NatsBus) -> list[tuple[str, OutboundKind]]:
    """Return why ends of the channel were given up, and which these are."""
    subject, found, since = dead(OUTBOX, NAMESPACE, "web"), [], 1
    while stored := await bus.next(DEAD, subject, since=since):
        reason = read_headers(subject, stored.headers).reason
        found.append((reason, unwrap(stored.data, OutboundMessage).kind))
        since = stored.sequence + 1
    return found


async def test_a_channel_that_owes_nothing_goes_at_once(chat: Chat) -> None:
    await chat.delete_channel()
    await chat.until_gone()


async def test_who_has_a_message_at_work_is_shown_its_answer(chat: Chat) -> None:
    asked, run = await chat.ask("1")
    await chat.delete_channel()
    await chat.drains()
    with pytest.raises(NotFoundError):
        await chat.delete_channel()
    await chat.a_look_passed()
    assert await chat.has_deployment()
    await chat.answer(run)
    await chat.cluster.ended(run["metadata"]["name"])
    await chat.a_look_passed()
    assert await chat.has_deployment(), "it went before the answer was shown"
    shown = await chat.show()
    assert (shown.message_id, shown.text) == (asked, "it is this")
    await chat.until_gone()
    assert await dead_letters(chat.bus) == []


async def test_what_is_said_to_a_deleted_channel_starts_nothing_and_is_told_so(chat: Chat) -> None:
    _, run = await chat.ask("1")
    await chat.delete_channel()
    await chat.drains()
    late = InboundMessage(
        message_id=web_message_id(NAMESPACE, "web", ConversationId("late"), "2"),
        conversation=ConversationId("late"),
        sender=Sender(platform="web", user_id="ada"),
        text="hello",
        time=datetime.now(UTC),
    )
    data = wrap(late, id=late.message_id, time=late.time)
    await chat.bus.publish(inbox(NAMESPACE, "web"), data, message_id=late.message_id)
    refused = await chat.show()
    assert refused.message_id == late.message_id
    assert refused.error is not None
    assert refused.error.code == "AgentNotFound"
    await chat.answer(run)
    await chat.show()
    await chat.until_gone()


async def test_a_channel_that_nobody_can_show_goes_and_leaves_dead_letters(
    chat: Chat, impatient: None
) -> None:
    _, run = await chat.ask("1")
    await chat.delete_channel()
    await chat.drains()
    await chat.a_look_passed()
    assert await chat.has_deployment(), "a run of it is at work"
    await chat.answer(run)
    await chat.until_gone()
    assert await dead_letters(chat.bus) == [(REASON, OutboundKind.FINAL)]


async def test_a_channel_deleted_while_the_bus_is_away_goes_and_its_place_there_later(
    chat: Chat, nats_server: NatsServer, impatient: None
) -> None:
    _, run = await chat.ask("1")
    await chat.answer(run)
    await chat.cluster.ended(run["metadata"]["name"])

    async def is_published() -> bool:
        stored = await chat.bus.last(OUTBOX, f"outbox.{NAMESPACE}.web")
        return stored is not None and b'"final"' in stored.data

    await until(is_published, within_s=WITHIN_S)
    nats_server.kill()
    await chat.delete_channel()

    async def has_gone() -> bool:
        return not await chat.has_deployment()

    await until(has_gone, within_s=WITHIN_S)
    await nats_server.start()
    await chat.until_gone()
    assert await dead_letters(chat.bus) == [(REASON, OutboundKind.FINAL)]


async def test_a_channel_deleted_while_the_bus_is_away_shows_its_answer_when_it_is_back(
    chat: Chat, nats_server: NatsServer
) -> None:
    asked, run = await chat.ask("1")
    nats_server.kill()
    await chat.delete_channel()
    await chat.drains()
    await nats_server.start()
    await until(lambda: _is_up(chat.bus), within_s=WITHIN_S)
    await chat.a_look_passed()
    assert await chat.has_deployment()
    await chat.answer(run)
    assert (await chat.show()).message_id == asked
    await chat.until_gone()


async def _is_up(bus: NatsBus) -> bool:
    return bus.is_connected


async def test_a_channel_made_anew_while_it_drains_goes_on_with_the_same_program(
    chat: Chat,
) -> None:
    asked, run = await chat.ask("1")
    channel = await chat.cluster.kube.get(CHANNELS, NAMESPACE, "web")
    await chat.delete_channel()
    before = await chat.drains()
    again = {key: channel[key] for key in ("apiVersion", "kind", "spec")}
    await chat.cluster.kube.create(
        CHANNELS, {**again, "metadata": {"name": "web", "namespace": NAMESPACE}}
    )
    await chat.cluster.until(DEPLOYMENTS, "channel-web", lambda held: draining_since(held) is None)
    await chat.answer(run)
    assert (await chat.show()).message_id == asked
    await chat.a_look_passed()
    after = await chat.cluster.kube.get(DEPLOYMENTS, NAMESPACE, "channel-web")
    assert (after["metadata"]["uid"], after["spec"]) == (before["metadata"]["uid"], before["spec"])
    assert CONSUMER in await channel_consumers(chat.bus.client)
    await chat.delete_channel()
    await chat.until_gone()


async def test_a_channel_that_drains_goes_on_doing_so_under_the_next_controller(
    cluster: Cluster, bus: NatsBus, settings: Settings, tmp_path: Path
) -> None:
    chat = Chat(cluster, bus)
    async with a_router(cluster, bus, tmp_path):
        async with controller(cluster, settings):
            await a_channel(cluster)
            asked, run = await chat.ask("1")
            await chat.delete_channel()
            await chat.drains()
        mark = {"metadata": {"annotations": {DRAINING_ANNOTATION: LONG_AGO}}}
        await cluster.kube.patch(DEPLOYMENTS, NAMESPACE, "channel-web", mark)
        async with controller(cluster, settings):
            await chat.a_look_passed()
            assert draining_since(await chat.drains()) == parse_kube_time(LONG_AGO)
            await chat.answer(run)
            assert (await chat.show()).message_id == asked
            await chat.until_gone()


async def test_a_channel_that_drains_does_not_hold_up_that_its_namespace_is_cleared(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "TELL_S", 0.5)
    await chat.ask("1")
    await chat.delete_channel()
    await chat.drains()
    await label(chat.cluster.kube, NAMESPACE, None)
    await chat.until_gone()


async def test_a_channel_deleted_while_no_controller_ran_goes_under_the_next(
    cluster: Cluster, bus: NatsBus, settings: Settings, tmp_path: Path
) -> None:
    chat = Chat(cluster, bus)
    async with a_router(cluster, bus, tmp_path):
        async with controller(cluster, settings):
            await a_channel(cluster)
        await chat.delete_channel()
        async with controller(cluster, settings):
            await chat.until_gone()


async def test_a_place_on_the_bus_of_which_nothing_else_is_left_goes(
    cluster: Cluster, bus: NatsBus, settings: Settings, tmp_path: Path
) -> None:
    async with controller(cluster, settings):
        await a_channel(cluster)
    for kind, name in ((CHANNELS, "web"), (DEPLOYMENTS, "channel-web")):
        await cluster.kube.delete(kind, NAMESPACE, name)
    async with a_router(cluster, bus, tmp_path), controller(cluster, settings):
        await Chat(cluster, bus).until_gone()


async def test_a_deployment_that_an_older_controller_had_owned_outlives_its_channel(
    cluster: Cluster, bus: NatsBus, settings: Settings, tmp_path: Path
) -> None:
    channel = await create_channel(cluster)
    owner = {"apiVersion": CHANNELS.api_version, "kind": CHANNELS.kind, "name": "web"}
    async with controller(cluster, settings):
        made = await cluster.until(DEPLOYMENTS, "channel-web", bool)
    metadata = {key: made["metadata"][key] for key in ("name", "namespace", "labels")}
    owners = [{**owner, "uid": channel["metadata"]["uid"], "controller": True}]
    older: Object = {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": {
            **metadata,
            "annotations": {"sympozium.ai/wanted": "older"},
            "ownerReferences": owners,
        },
        "spec": made["spec"],
    }
    held = await cluster.kube.apply(DEPLOYMENTS, older, manager="sympozium-controller")
    assert held["metadata"]["ownerReferences"]
    async with controller(cluster, settings), a_router(cluster, bus, tmp_path):
        await cluster.until(
            DEPLOYMENTS, "channel-web", lambda one: "ownerReferences" not in one["metadata"]
        )


def test_patience_ends_after_the_last_run_and_never_before_it_began() -> None:
    since = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
    runs = [{"status": {"finishedAt": at}} for at in ("2026-01-02T03:07:00Z", "", "no time")]
    assert patience_ends(since, []) == since + draining.PATIENCE
    assert patience_ends(since, runs) == since + timedelta(minutes=7) + draining.PATIENCE


def test_a_mark_that_is_no_time_is_none() -> None:
    deployment = {"metadata": {"annotations": {DRAINING_ANNOTATION: "soon"}}}
    assert draining_since(deployment) is None
