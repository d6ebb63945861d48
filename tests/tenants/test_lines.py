"""A tenant gets its line in INBOX with its label, and keeps it while anything of it is there."""

from functools import partial

import pytest

from sympozium.bus.lines import lines
from sympozium.bus.nats import NatsBus
from sympozium.contract.subjects import inbox
from sympozium.kube.tenants import Tenants
from sympozium_controller.settings import Settings
from sympozium_controller.tenants import clearing, sweep
from sympozium_controller.tenants.sweep import LineSweep
from tests.controller.cluster import Cluster, controller
from tests.fixtures.tenants import make_tenant
from tests.tenants.namespaces import label, until

TEAM = "team"

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and wait for nobody who is not there."""
    monkeypatch.setattr(sweep, "LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(clearing, "SETTLE_S", 0.0)
    monkeypatch.setattr(clearing, "TELL_S", 0.5)


async def test_a_line_comes_with_the_label_and_goes_after_it(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    async with controller(cluster, settings):
        await make_tenant(cluster.kube, TEAM)
        await until(lambda: has_line(bus, TEAM))
        await label(cluster.kube, TEAM, None)
        await until(lambda: has_none(bus, TEAM))
        await label(cluster.kube, TEAM, "true")
        await until(lambda: has_line(bus, TEAM))


async def test_a_line_in_which_something_is_stays_without_the_label(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    async with controller(cluster, settings):
        for namespace in (TEAM, "barrier"):
            await make_tenant(cluster.kube, namespace)
            await until(partial(has_line, bus, namespace))
        await bus.publish(inbox(TEAM, "web"), b"{}", message_id="1")
        await label(cluster.kube, TEAM, None)
        await label(cluster.kube, "barrier", None)
        await until(lambda: has_none(bus, "barrier"))
        tenants = Tenants(cluster.kube)
        assert not await tenants.is_tenant(TEAM)
        await LineSweep(bus, tenants).sweep()
        assert await has_line(bus, TEAM)


async def has_line(bus: NatsBus, namespace: str) -> bool:
    return namespace in await lines(bus.client)


async def has_none(bus: NatsBus, namespace: str) -> bool:
    return not await has_line(bus, namespace)
