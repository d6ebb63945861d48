"""What happens in a namespace when its label goes: all that we made goes, and runs are ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from sympozium.bus.admin import channel_consumers
from sympozium.bus.nats import NatsBus
from sympozium.contract.resources import (
    AGENT_RUNS,
    AGENTS,
    CHANNELS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    Object,
)
from sympozium.contract.subjects import OUTBOX, inbox, inbox_consumer, outbox
from sympozium.kube.client import Kube
from sympozium_controller.channels.draining import draining_since
from sympozium_controller.settings import Settings
from sympozium_controller.tenants import clearing
from sympozium_controller.tenants.ledger import LEDGER
from tests.controller.cluster import SYSTEM_NAMESPACE, Cluster, controller
from tests.fixtures.tenants import make_tenant
from tests.tenants.namespaces import agent, channel, label, ours_in, until

TEAM = "team"

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less long for channels that the test does not have."""
    monkeypatch.setattr(clearing, "SETTLE_S", 0.0)
    monkeypatch.setattr(clearing, "TELL_S", 0.5)


def run(name: str, agent_ref: str = "helper") -> Object:
    return {
        "apiVersion": AGENT_RUNS.api_version,
        "kind": AGENT_RUNS.kind,
        "metadata": {"name": name, "namespace": TEAM},
        "spec": {"agentRef": agent_ref, "task": "hello"},
    }


async def a_team_at_work(kube: Kube) -> None:
    """Have a tenant with an Agent, a Channel, and a run that has its Job."""
    await make_tenant(kube, TEAM)
    await kube.create(AGENTS, agent(TEAM))
    await kube.create(CHANNELS, channel(TEAM))
    await kube.create(AGENT_RUNS, run("r1"))
    await until_there(kube, {"Job/r1", "Deployment/channel-web", "RoleBinding/" + CONTROLLERS})


CONTROLLERS = "sympozium-tenant-controller"


async def until_there(kube: Kube, wanted: set[str]) -> None:
    async def is_there() -> bool:
        return wanted <= await ours_in(kube, TEAM)

    await until(is_there)


async def until_clear(kube: Kube) -> None:
    """Return when nothing of ours is in the team's namespace, and none is noted to be."""

    async def is_clear() -> bool:
        ledger = await kube.get(CONFIG_MAPS, SYSTEM_NAMESPACE, LEDGER)
        return not await ours_in(kube, TEAM) and TEAM not in (ledger.get("data") or {})

    await until(is_clear)


@asynccontextmanager
async def a_team(cluster: Cluster, settings: Settings) -> AsyncIterator[Kube]:
    """Yield the administrator of a cluster with a team at work and a controller."""
    async with controller(cluster, settings):
        await a_team_at_work(cluster.kube)
        yield cluster.kube


async def test_everything_that_was_made_goes_with_the_label(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    async with a_team(cluster, settings) as kube:
        await label(kube, TEAM, None)
        await until_clear(kube)
        assert "channel_team_web" not in await channel_consumers(bus.client)
        kept = [(await kube.list(kind, TEAM)).items for kind in (AGENTS, CHANNELS, AGENT_RUNS)]
    assert [len(objects) for objects in kept] == [1, 1, 1]


async def test_a_run_that_is_at_work_ends_with_its_reason(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    async with a_team(cluster, settings) as kube:
        await label(kube, TEAM, None)
        await until_clear(kube)
        ended = await kube.get(AGENT_RUNS, TEAM, "r1")
    assert ended["status"]["phase"] == "Failed"
    assert ended["status"]["error"]["reason"] == "NamespaceClosed"


async def test_a_channel_shows_what_was_told_before_it_goes(
    cluster: Cluster, bus: NatsBus, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "TELL_S", 30.0)
    async with a_team(cluster, settings) as kube:
        await bus.publish(outbox(TEAM, "web"), b"the end", message_id="1")
        await label(kube, TEAM, None)

        async def is_ended() -> bool:
            return bool((await kube.get(AGENT_RUNS, TEAM, "r1")).get("status"))

        await until(is_ended)
        assert "Deployment/channel-web" in await ours_in(kube, TEAM)
        stream = bus.client.jetstream()
        reader = await stream.pull_subscribe_bind("channel_team_web", OUTBOX)
        (shown,) = await reader.fetch(1, timeout=5)
        await shown.ack()
        await until_clear(kube)


async def test_a_channel_stays_until_what_was_handed_in_is_settled(
    cluster: Cluster, bus: NatsBus, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "TELL_S", 30.0)
    async with a_team(cluster, settings) as kube:
        await make_tenant(kube, "barrier")
        await until(partial(ours_in, kube, "barrier"))
        await bus.publish(inbox(TEAM, "web"), b"the last word", message_id="1")
        await label(kube, TEAM, None)

        async def is_ended() -> bool:
            return bool((await kube.get(AGENT_RUNS, TEAM, "r1")).get("status"))

        async def is_barrier_clear() -> bool:
            return not await ours_in(kube, "barrier")

        await until(is_ended)
        await label(kube, "barrier", None)
        await until(is_barrier_clear)
        assert "Deployment/channel-web" in await ours_in(kube, TEAM)
        async with bus.consume(inbox_consumer(TEAM)) as deliveries:
            await (await anext(deliveries)).ack()
            await until_clear(kube)


async def test_a_namespace_that_gets_its_label_back_is_served_again(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    async with a_team(cluster, settings) as kube:
        await label(kube, TEAM, None)
        await until_clear(kube)
        await label(kube, TEAM, "true")
        await until_there(kube, {"Deployment/channel-web", "ServiceAccount/sympozium-run"})
        await kube.create(AGENT_RUNS, run("r2"))
        await until_there(kube, {"Job/r2"})

        async def has_consumer() -> bool:
            return "channel_team_web" in await channel_consumers(bus.client)

        await until(has_consumer)


async def test_a_label_that_comes_back_at_once_leaves_a_tenant_that_works(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    async with a_team(cluster, settings) as kube:
        await label(kube, TEAM, None)
        await asyncio.sleep(0.05)
        await label(kube, TEAM, "true")

        async def works() -> bool:
            found = await ours_in(kube, TEAM)
            has_all = {"Deployment/channel-web", "RoleBinding/" + CONTROLLERS} <= found
            return has_all and "channel_team_web" in await channel_consumers(bus.client)

        await kube.create(AGENT_RUNS, run("r2"))
        await until_there(kube, {"Job/r2"})
        await until(works)


async def test_what_lost_its_label_while_no_controller_ran_is_cleared_by_the_next(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    async with a_team(cluster, settings) as kube:
        pass
    await label(kube, TEAM, None)
    assert await ours_in(kube, TEAM)
    async with controller(cluster, settings):
        await until_clear(kube)


@pytest.mark.parametrize("step", range(11))
async def test_a_controller_that_dies_while_it_clears_is_followed_by_one_that_does_the_rest(
    cluster: Cluster, bus: NatsBus, settings: Settings, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    done = 0
    delete, delete_all = Kube.delete, Kube.delete_all

    async def counted() -> None:
        nonlocal done
        done += 1
        if done > step:
            raise asyncio.CancelledError  # its process is gone

    async def dying_delete(self: Kube, *args: object, **options: object) -> None:
        await counted()
        await delete(self, *args, **options)  # type: ignore[arg-type]  # passed on as it came

    async def dying_delete_all(self: Kube, *args: object, **options: object) -> None:
        await counted()
        await delete_all(self, *args, **options)  # type: ignore[arg-type]  # passed on as it came

    async with controller(cluster, settings):
        await a_team_at_work(cluster.kube)
        monkeypatch.setattr(Kube, "delete", dying_delete)
        monkeypatch.setattr(Kube, "delete_all", dying_delete_all)
        await label(cluster.kube, TEAM, None)

        async def is_dead() -> bool:
            return done > step

        await until(is_dead)
    monkeypatch.undo()
    async with controller(cluster, settings):
        await until_clear(cluster.kube)


async def test_a_namespace_that_is_deleted_as_a_whole_leaves_no_consumer_and_no_note(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    async with a_team(cluster, settings) as kube:
        await kube.delete(NAMESPACES, None, TEAM)
        await until_clear(kube)

        async def has_none() -> bool:
            return "channel_team_web" not in await channel_consumers(bus.client)

        await until(has_none)


async def test_a_channel_that_drains_does_not_hold_up_that_its_namespace_goes(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    async with a_team(cluster, settings) as kube:
        source = {"channel": "web", "conversation": "c", "messageId": "m", "sequence": 1}
        source["sender"] = {"platform": "web", "userId": "ada"}
        asked = run("r2")
        await kube.create(AGENT_RUNS, {**asked, "spec": {**asked["spec"], "source": source}})
        await until_there(kube, {"Job/r2"})
        await kube.delete(CHANNELS, TEAM, "web")

        async def drains() -> bool:
            (held,) = (await kube.list(DEPLOYMENTS, TEAM)).items
            return draining_since(held) is not None

        await until(drains)
        await kube.delete(NAMESPACES, None, TEAM)

        async def is_gone() -> bool:
            left = {one["metadata"]["name"] for one in (await kube.list(NAMESPACES)).items}
            return TEAM not in left and "channel_team_web" not in await channel_consumers(
                bus.client
            )

        await until(is_gone)
