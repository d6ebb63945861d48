"""Who is admitted to the bus: what runs in a tenant, and nothing with its names elsewhere."""

from datetime import UTC, datetime, timedelta

import pytest

from sympozium.contract.resources import AGENT_RUNS, AGENTS, CHANNELS, DEPLOYMENTS, JOBS, PODS
from sympozium.kube.client import Kube
from sympozium.kube.tenants import Tenants
from sympozium_controller.identity.directory import Copies, Directory, NotAdmittedError
from sympozium_controller.identity.reviews import Bearer
from sympozium_controller.identity.who import ChannelIdentity
from tests.controller.cluster import NAMESPACE, SYSTEM_NAMESPACE, Cluster
from tests.tenants.namespaces import channel, create_namespace


def directory(kube: Kube) -> Directory:
    """Return a directory whose copies are empty: it asks the API server."""
    tenants = Tenants(kube)
    kinds = (AGENT_RUNS, JOBS, PODS, CHANNELS, DEPLOYMENTS)
    return Directory(kube, Copies(tenants, *map(tenants.informer, kinds)), SYSTEM_NAMESPACE)


def bearer(namespace: str, account: str) -> Bearer:
    later = datetime.now(UTC) + timedelta(hours=1)
    return Bearer(namespace, account, pod_name="p", pod_uid="u", expires=later)


async def test_a_channel_of_a_tenant_is_admitted_and_one_of_the_same_name_elsewhere_is_not(
    cluster: Cluster,
) -> None:
    await create_namespace(cluster.kube, "other")
    for namespace in (NAMESPACE, "other"):
        await cluster.kube.create(CHANNELS, channel(namespace))
    known = directory(cluster.kube)
    admitted = await known.admission(bearer(NAMESPACE, "channel-web"))
    assert admitted.identity == ChannelIdentity(NAMESPACE, "web")
    with pytest.raises(NotAdmittedError, match=r"sympozium\.ai/tenant=true"):
        await known.admission(bearer("other", "channel-web"))


@pytest.mark.parametrize("account", ["sympozium-run", "sympozium-run-cluster-reader"])
async def test_what_calls_itself_a_run_outside_of_tenants_is_not_admitted(
    cluster: Cluster, account: str
) -> None:
    await create_namespace(cluster.kube, "other")
    with pytest.raises(NotAdmittedError, match="is no tenant"):
        await directory(cluster.kube).admission(bearer("other", account))


async def test_a_router_of_a_tenants_own_is_no_router(cluster: Cluster) -> None:
    with pytest.raises(NotAdmittedError):
        await directory(cluster.kube).admission(bearer(NAMESPACE, "sympozium-router"))


async def test_an_account_of_another_agent_is_nobody(cluster: Cluster) -> None:
    with pytest.raises(NotAdmittedError):
        await directory(cluster.kube).admission(bearer(NAMESPACE, f"{AGENTS.plural}-helper"))
