"""Who a token's bearer is, by the objects that stand behind it, and for how long."""

from datetime import UTC, datetime, timedelta

import pytest

from sympozium.contract.resources import PODS, RUN_SERVICE_ACCOUNT, Object
from sympozium.contract.times import parse_kube_time
from sympozium.kube.tenants import Tenants
from sympozium_controller.channels.reconcile import ChannelCache
from sympozium_controller.identity.directory import Copies, Directory, NotAdmittedError
from sympozium_controller.identity.reviews import Bearer
from sympozium_controller.runs.observe import RunCache
from tests.controller.cluster import NAMESPACE, SYSTEM_NAMESPACE, Cluster

TIMEOUT = timedelta(minutes=5)
"""Of every run of the Agent."""


def directory_of(cluster: Cluster) -> Directory:
    """Return a directory that has no copy yet, and asks the API server for everything."""
    tenants = Tenants(cluster.kube)
    runs, channels = RunCache(tenants), ChannelCache(tenants)
    own = (channels.channels, channels.deployments)
    copies = Copies(tenants, runs.runs, runs.jobs, runs.pods, *own)
    return Directory(cluster.kube, copies, SYSTEM_NAMESPACE)


async def pod_of_a_run(cluster: Cluster) -> tuple[Object, Bearer]:
    """Return the pod of a new run, and who presents its token, which lives for a day."""
    await cluster.create_agent()
    await cluster.create_run("first")
    pod = await cluster.create_pod(await cluster.job("first"))
    metadata, expires = pod["metadata"], datetime.now(UTC) + timedelta(days=1)
    bearer = Bearer(NAMESPACE, RUN_SERVICE_ACCOUNT, metadata["name"], metadata["uid"], expires)
    return pod, bearer


async def test_a_run_whose_pod_waited_for_room_is_connected_until_its_deadline(
    controlled: Cluster,
) -> None:
    _, bearer = await pod_of_a_run(controlled)
    created = parse_kube_time((await controlled.job("first"))["metadata"]["creationTimestamp"])
    admission = await directory_of(controlled).admission(bearer)
    waited_and_at_work = 2 * TIMEOUT
    assert waited_and_at_work < admission.until - created < timedelta(hours=1)


async def test_a_pod_that_has_ended_is_not_admitted_again(controlled: Cluster) -> None:
    pod, bearer = await pod_of_a_run(controlled)
    await directory_of(controlled).admission(bearer)
    name = pod["metadata"]["name"]
    await controlled.kube.patch(
        PODS, NAMESPACE, name, {"status": {"phase": "Failed"}}, subresource="status"
    )
    with pytest.raises(NotAdmittedError, match="it has ended"):
        await directory_of(controlled).admission(bearer)
