"""What a run leaves behind of rights: nothing, because it is given none of its own."""

from sympozium.bus.nats import NatsBus
from sympozium.contract.resources import (
    NETWORK_POLICIES,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
)
from sympozium.contract.run_events import Result
from sympozium_controller.furniture import ROUTER_ROLE
from sympozium_controller.settings import Settings
from tests.controller.cluster import NAMESPACE, Cluster, controller, say

KINDS = (ROLES, ROLE_BINDINGS, SERVICE_ACCOUNTS, NETWORK_POLICIES)


async def rights_in(cluster: Cluster) -> set[tuple[str, str, str]]:
    return {
        (kind.kind, one["metadata"]["name"], one["metadata"]["resourceVersion"])
        for kind in KINDS
        for one in (await cluster.kube.list(kind, NAMESPACE)).items
    }


async def test_runs_share_the_rights_of_their_namespace_and_make_change_and_leave_none(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    async with controller(cluster, settings):
        await cluster.create_agent(skills=[{"skillPackRef": "cluster-reader"}])
        for number in range(3):
            run = await cluster.create_run(f"r{number}")
            await cluster.job(f"r{number}")
            await cluster.until(ROLE_BINDINGS, ROUTER_ROLE, bool)  # comes side by side with it
            at_work = await rights_in(cluster)
            if number == 0:
                first = at_work
            await say(bus, run, Result(text="hi"))
            await cluster.ended(f"r{number}")
            assert at_work == first
    assert await rights_in(cluster) == first
    assert ("Role", "sympozium-run") not in {right[:2] for right in first}
