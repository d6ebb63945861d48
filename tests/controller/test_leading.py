"""Two controllers in one cluster: one leads, and the other goes on where it ends."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.contract.resources import CHANNELS, DEPLOYMENTS, LEASES, Object
from sympozium.contract.run_events import Result
from sympozium_controller.settings import Settings
from tests.controller.cluster import NAMESPACE, SYSTEM_NAMESPACE, Cluster, controller, say
from tests.fixtures.nats_server import free_port

LEASE = (SYSTEM_NAMESPACE, "sympozium-controller")


def named(settings: Settings, pod: str) -> Settings:
    return replace(settings, pod_name=pod, health_port=free_port())


async def until_led_by(cluster: Cluster, pod: str) -> None:
    """Return once the controller in *pod* holds the lease."""
    async with asyncio.timeout(10):
        while True:
            leases = (await cluster.kube.list(LEASES, SYSTEM_NAMESPACE)).items
            holders = [str(one["spec"]["holderIdentity"]) for one in leases]
            if any(holder.startswith(f"{pod}_") for holder in holders):
                return
            await asyncio.sleep(0.02)


async def left_by_a_dead_one(cluster: Cluster, pod: str) -> None:
    """Write the lease as a controller that was killed a moment ago left it."""
    metadata = {"namespace": LEASE[0], "name": LEASE[1]}
    spec = {"holderIdentity": f"{pod}_1", "leaseDurationSeconds": 2}
    head: Object = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata}
    await cluster.kube.create(LEASES, head | {"spec": spec})


async def test_what_one_controller_began_the_next_one_ends(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    await cluster.create_agent()
    async with AsyncExitStack() as second:
        async with controller(cluster, named(settings, "a")):
            await until_led_by(cluster, "a")
            run = await cluster.create_run("handed-over")
            await cluster.job("handed-over")
            await second.enter_async_context(controller(cluster, named(settings, "b")))
        await until_led_by(cluster, "b")
        await say(bus, run, Result(text="hi"))
        assert (await cluster.ended("handed-over"))["result"] == "hi"


async def test_a_controller_that_leads_for_the_first_time_sees_to_all_that_is_there(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    await left_by_a_dead_one(cluster, "somebody-else")
    async with controller(cluster, named(settings, "b")):
        await cluster.create_agent(channels=[{"type": "web"}])
        run = await cluster.create_run("early")  # while the lease is another's
        await cluster.job("early")
        await say(bus, run, Result(text="hi"))
        assert (await cluster.ended("early"))["result"] == "hi"
        await cluster.until(CHANNELS, "helper-web", lambda one: "status" in one)
        await cluster.until(DEPLOYMENTS, "channel-helper-web", bool)


async def test_a_controller_without_the_right_to_the_lease_says_so(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/rolebindings"
    await cluster.kube.request("DELETE", f"{path}/sympozium-controller")
    with pytest.raises(ExceptionGroup, match="unhandled") as raised:
        async with controller(cluster, settings):
            await asyncio.sleep(10)
    assert "leases" in str(_first(raised.value))


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def test_a_channels_consumer_stays_while_the_channel_is_there(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    await cluster.create_agent(channels=[{"type": "web"}])
    async with controller(cluster, named(settings, "a")):
        await cluster.until(DEPLOYMENTS, "channel-helper-web", bool)
    async with controller(cluster, named(settings, "b")):
        await until_led_by(cluster, "b")
        await cluster.until(CHANNELS, "helper-web", lambda one: "status" in one)
        info = await bus.client.jetstream().consumer_info(
            "OUTBOX", f"channel_{NAMESPACE}_helper-web"
        )
        assert info.name == f"channel_{NAMESPACE}_helper-web"
